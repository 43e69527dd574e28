use super::*;
use luckystack::testing;

#[test]
fn get_all_lists_twenty_vehicles_in_less_than_two_kilobytes() {
    let ctx = testing::call().route("api/vehicles/getAll/v1").build();
    let answer = testing::call_route(&PLUGIN, ctx, &json!({})).unwrap();
    assert_eq!(answer["result"].as_array().unwrap().len(), 20);
    assert_eq!(answer["result"][0]["id"], "v01");
    assert_eq!(answer["result"][0]["status"], "driving");
    let size = answer.to_string().len();
    assert!((1500..=2000).contains(&size), "{size} bytes");
}

#[test]
fn get_by_id_finds_a_vehicle() {
    assert_eq!(get_by_id(GetById { id: "v07".into() }).unwrap(), FLEET[6]);
}

#[test]
fn get_by_id_names_the_id_it_does_not_know() {
    let error = get_by_id(GetById { id: "v99".into() }).unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("vehicles.notFound", Some(404)));
    assert_eq!(error.params().collect::<Vec<_>>(), [("id", json!("v99"))]);
}

#[test]
fn nearest_asks_the_projects_function_and_looks_at_idle_vehicles_only() {
    testing::function("geo/distance", |args: Value| {
        let (from, to) = (&args["from"][0], &args["to"][0]);
        Ok((from.as_f64().unwrap() - to.as_f64().unwrap()).abs())
    });
    let idle = FLEET.iter().find(|vehicle| vehicle.status == Status::Idle).unwrap();
    let ctx = testing::call().build();
    let found = nearest(&ctx, Point { lat: idle.lat, lng: idle.lng }).unwrap();
    assert_eq!((found.vehicle, found.distance_km), (*idle, 0.0));
}

#[test]
fn nearest_passes_the_error_of_a_missing_function_on() {
    let error = nearest(&testing::call().build(), Point { lat: 0.0, lng: 0.0 }).err().unwrap();
    assert_eq!(error.code(), "functions.notFound");
}

#[test]
fn track_sends_every_position_and_sums_up() {
    let tracked = track(&testing::call().build(), Track { id: "v01".into(), steps: 3 }).unwrap();
    let positions: Vec<Value> = testing::streamed();
    assert_eq!(positions.len(), 3);
    assert_eq!(positions[2]["step"], 3);
    assert_eq!(tracked.sent, 3);
    assert_eq!(tracked.last.unwrap().step, 3);
}

#[test]
fn track_stops_when_nobody_listens() {
    testing::abort();
    let tracked = track(&testing::call().build(), Track { id: "v01".into(), steps: 1000 }).unwrap();
    assert_eq!(tracked.sent, 0);
    assert!(tracked.last.is_none());
}

#[test]
fn a_vehicle_drives_east() {
    let vehicle = Vehicle { lat: 0.0, lng: 0.0, speed: 60, ..FLEET[0] };
    assert_eq!(vehicle.position_after(0), (0.0, 0.0));
    let (lat, lng) = vehicle.position_after(60);
    assert!(lat == 0.0 && (lng - 0.53957).abs() < 1e-9, "{lat} {lng}");
}
