//! The service `vehicles`: a fleet, where it is, and how it moves.
//!
//! The example to read first. It shows an API without input (`getAll`), one with a typed input and an
//! error that the client can translate (`getById`), one that calls a function of another plugin
//! (`nearest`), and one that streams (`track`).

mod fleet;

use fleet::{FLEET, Status, Vehicle};
use luckystack::prelude::*;

#[derive(Deserialize, JsonSchema)]
struct GetById {
    /// Such as `v07`.
    id: String,
}

#[derive(Deserialize, JsonSchema)]
struct Point {
    lat: f64,
    lng: f64,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Nearest {
    vehicle: Vehicle,
    distance_km: f64,
}

#[derive(Deserialize, JsonSchema)]
struct Track {
    id: String,
    /// How many positions to send.
    #[schemars(range(min = 1, max = 1000))]
    steps: u32,
}

#[derive(Serialize, JsonSchema)]
struct Position {
    step: u32,
    lat: f64,
    lng: f64,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Tracked {
    id: String,
    /// How many positions were sent: fewer than asked for when the client went away.
    sent: u32,
    last: Option<Position>,
}

/// All vehicles of the fleet.
#[api]
fn get_all() -> Result<&'static [Vehicle], HandlerError> {
    Ok(&FLEET)
}

/// One vehicle by its id.
#[api]
fn get_by_id(input: GetById) -> Result<Vehicle, HandlerError> {
    find(&input.id)
}

/// The idle vehicle that is nearest to a point, and how far away it is.
#[api(name = "nearest", method = "POST")]
fn nearest(ctx: &Ctx, from: Point) -> Result<Nearest, HandlerError> {
    let mut best: Option<Nearest> = None;
    for vehicle in FLEET.iter().filter(|vehicle| vehicle.status == Status::Idle) {
        // The project's function, or whatever overrides it: this plugin does not know.
        let args = json!({ "from": [from.lat, from.lng], "to": [vehicle.lat, vehicle.lng] });
        let distance_km: f64 = ctx.call_function("geo/distance", &args)?;
        if best.as_ref().is_none_or(|known| distance_km < known.distance_km) {
            best = Some(Nearest { vehicle: *vehicle, distance_km });
        }
    }
    best.ok_or_else(|| error!("vehicles.noneIdle").status(404))
}

/// Follows a vehicle for some steps.
#[api(method = "POST", stream = Position)]
fn track(ctx: &Ctx, input: Track) -> Result<Tracked, HandlerError> {
    let vehicle = find(&input.id)?;
    let mut tracked = Tracked { id: input.id, sent: 0, last: None };
    for step in 1..=input.steps {
        let (lat, lng) = vehicle.position_after(step);
        let position = Position { step, lat, lng };
        if !ctx.stream(&position) {
            break;
        }
        tracked.sent = step;
        tracked.last = Some(position);
    }
    Ok(tracked)
}

fn find(id: &str) -> Result<Vehicle, HandlerError> {
    match FLEET.iter().find(|vehicle| vehicle.id == id) {
        Some(vehicle) => Ok(*vehicle),
        None => Err(error!("vehicles.notFound", id = id).status(404)),
    }
}

luckystack::plugin! {
    service = "vehicles",
    description = "The fleet and where it is",
    handlers = [get_all, get_by_id, nearest, track],
}

#[cfg(test)]
mod tests;
