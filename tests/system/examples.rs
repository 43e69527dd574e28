//! The example services as a client sees them, and the fleet preset as the README shows it.

use luckystack_tests::{Answer, Call, Host};
use serde_json::{Value, json};

use crate::{ORDINARY, example};

async fn fleet() -> Host {
    example().start_with(&["--port", "0", "--preset", "fleet"]).await
}

#[tokio::test]
async fn get_all_answers_the_documented_envelope() {
    let host = fleet().await;
    let answer = host.get(ORDINARY).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let text = answer.text();
    assert!(
        text.starts_with(r#"{"status":"success","httpStatus":200,"result":[{"id":"v01","name":"Otter","#),
        "{text}"
    );
    let vehicles = answer.result();
    assert_eq!(vehicles.as_array().map(Vec::len), Some(20));
    for vehicle in vehicles.as_array().unwrap() {
        let vehicle = vehicle.as_object().unwrap();
        assert!(["id", "name", "lat", "lng", "speed", "status"].iter().all(|key| vehicle.contains_key(*key)));
    }
}

#[tokio::test]
async fn get_by_id_finds_one_or_says_in_the_callers_language_that_there_is_none() {
    let host = fleet().await;
    let found = host.get("/api/vehicles/getById/v1?id=v07").await.result();
    assert_eq!((&found["id"], &found["name"]), (&json!("v07"), &json!("Hare")));

    let path = "/api/vehicles/getById/v1?id=v99";
    for (header, value, message) in [
        ("accept", "*/*", "There is no vehicle with the id v99."),
        ("accept-language", "nl-BE,en;q=0.5", "Er is geen voertuig met het nummer v99."),
        ("accept-language", "fr, en", "There is no vehicle with the id v99."),
        ("accept-language", "fr", "There is no vehicle with the id v99."),
        ("x-language", "nl", "Er is geen voertuig met het nummer v99."),
    ] {
        let answer = host.send(Call::get(path).header(header, value)).await;
        let expected = json!({
            "status": "error", "message": message, "errorCode": "vehicles.notFound",
            "errorParams": [{ "key": "id", "value": "v99" }], "httpStatus": 404,
        });
        assert_eq!((answer.status, answer.json()), (404, expected), "{header}: {value}");
    }
    let both = Call::get(path).header("x-language", "nl").header("accept-language", "en");
    assert!(host.send(both).await.json()["message"].as_str().unwrap().starts_with("Er is geen"));
}

#[tokio::test]
async fn an_input_of_another_type_is_refused_before_the_handler_sees_it() {
    let host = fleet().await;
    let by_id = |query: &str| format!("/api/vehicles/getById/v1{query}");
    for query in ["", "?name=v07", "?id=v07&extra=1", "?__luckystack_data=%7B%22id%22%3A7%7D"] {
        host.get(&by_id(query)).await.assert_error(400, "api.invalidInputType");
    }
    for body in [
        json!({ "lat": "52", "lng": 4 }),
        json!({ "lat": 52 }),
        json!({ "lat": 52, "lng": 4, "alt": 1 }),
        json!({ "lat": null, "lng": 4 }),
        json!({ "lat": [52], "lng": 4 }),
    ] {
        host.post("/api/vehicles/nearest/v1", &body).await.assert_error(400, "api.invalidInputType");
    }
    let log = host.wait_for_log("invalid input").await;
    assert!(log.contains("api/vehicles/getById/v1"), "{log}");
    let typed = host.get(&by_id("?__luckystack_data=%7B%22id%22%3A%22v07%22%7D")).await;
    assert_eq!(typed.result()["id"], "v07");
}

#[tokio::test]
async fn bodies_that_are_no_json_object_are_refused_by_kind() {
    let host = fleet().await;
    let send = async |content_type: &str, body: &str| -> Answer {
        host.send(Call::post("/api/vehicles/nearest/v1").body(content_type, body.to_owned())).await
    };
    for body in ["{", "[]", "1", "null", "\"x\"", "{}{}"] {
        send("application/json", body).await.assert_error(400, "api.invalidRequestFormat");
    }
    for content_type in ["text/plain", "application/xml", "multipart/form-data; boundary=x"] {
        send(content_type, "{}").await.assert_error(415, "api.unsupportedMediaType");
    }
    let large = format!("{{\"lat\":{}1,\"lng\":1}}", " ".repeat(1 << 20));
    send("application/json", &large).await.assert_error(413, "api.payloadTooLarge");
    // Forms hold text, and text is no number.
    send("application/x-www-form-urlencoded", "lat=52&lng=4").await.assert_error(400, "api.invalidInputType");
}

#[tokio::test]
async fn a_plugin_calls_a_function_of_the_project() {
    let host = fleet().await;
    let nearest =
        host.post("/api/vehicles/nearest/v1", &json!({ "lat": 52.5685, "lng": 4.8676 })).await.result();
    assert_eq!(nearest["vehicle"]["id"], "v06");
    assert!(nearest["distanceKm"].as_f64().unwrap() < 0.01, "{nearest}");
}

#[tokio::test]
async fn an_anonymous_visitor_has_no_session() {
    let host = fleet().await;
    let session = host.post("/api/system/session/v1", &json!({})).await;
    assert_eq!(session.json(), json!({ "status": "success", "httpStatus": 200, "result": null }));
}

#[tokio::test]
async fn what_is_elsewhere_and_what_is_nowhere_are_told_apart() {
    let host = fleet().await;
    let elsewhere = host.get("/api/billing/listInvoices/v1").await;
    elsewhere.assert_error(502, "serviceNotAssigned");
    assert_eq!(elsewhere.param("service"), "billing");
    for (path, name) in [
        ("/api/nobody/getIt/v1", "api/nobody/getIt/v1"),
        ("/api/vehicles/getNothing/v1", "api/vehicles/getNothing/v1"),
        ("/api/vehicles/getAll/v2", "api/vehicles/getAll/v2"),
    ] {
        let answer = host.get(path).await;
        answer.assert_error(404, "api.notFound");
        assert_eq!(answer.param("name"), name);
    }
    host.get("/api/").await.assert_error(400, "api.invalidName");
    for name in ["vehicles/v1", "vehicles/getAll", "vehicles//getAll/v1", "vehicles/getAll/1"] {
        let answer = host.get(&format!("/api/{name}")).await;
        answer.assert_error(400, "routing.invalidServiceRouteName");
        assert_eq!(answer.param("name"), format!("api/{name}"));
    }
    let wrong = host.post(ORDINARY, &json!({})).await;
    wrong.assert_error(405, "api.methodNotAllowed");
    assert_eq!(wrong.param("method"), "GET");
}

#[tokio::test]
async fn invoices_are_kept_in_a_store_of_their_own() {
    let host = example().start_with(&["--port", "0", "--preset", "finance"]).await;
    let invoice = |name: &str| {
        json!({
            "customer": { "name": name },
            "lines": [{ "text": "wheels", "quantity": 4, "unitPrice": 25_000 }],
            "currency": "EUR",
        })
    };
    let created = host.post("/api/billing/createInvoice/v1", &invoice("Ada")).await;
    assert_eq!((created.status, &created.result()["total"]), (201, &json!(100_000)));
    assert_eq!(host.post("/api/billing/createInvoice/v1", &invoice("Bob")).await.result()["number"], 2);
    let numbers = async |path: &str| -> Vec<Value> {
        let all = host.get(path).await.result();
        all.as_array().unwrap().iter().map(|invoice| invoice["number"].clone()).collect()
    };
    assert_eq!(numbers("/api/billing/listInvoices/v1").await, [2, 1]);
    assert_eq!(numbers("/api/billing/listInvoices/v1?customer=Ada").await, [1]);
    let empty = json!({ "customer": { "name": " " }, "lines": [], "currency": "EUR" });
    assert_eq!(host.post("/api/billing/createInvoice/v1", &empty).await.status, 400);
}

#[tokio::test]
async fn the_audit_plugin_sees_who_is_limited() {
    let host = fleet().await;
    for _ in 0..60 {
        host.get(ORDINARY).await.result();
    }
    host.get(ORDINARY).await.assert_error(429, "api.rateLimitExceeded");
    let line = host.wait_for_log("is over its limit of 60 on api/vehicles/getAll/v1").await;
    assert!(line.contains("WARN") && line.contains("service=audit"), "{line}");
}

#[tokio::test]
async fn the_probes_answer() {
    let host = fleet().await;
    assert_eq!(host.get("/livez").await.json(), json!({ "status": "live" }));
    let ready = host.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["status"]), (200, &json!("ready")));
    let health = host.get("/_health").await.json();
    assert_eq!((&health["status"], &health["envKey"]), (&json!("ok"), &json!("development")));
}

#[tokio::test]
async fn answers_carry_the_request_id_and_the_security_headers() {
    let host = fleet().await;
    let answer = host.send(Call::get(ORDINARY).header("x-request-id", "abc-123")).await;
    assert_eq!(answer.header("x-request-id"), Some("abc-123"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let own = host.send(Call::get(ORDINARY).header("x-request-id", "no spaces allowed")).await;
    assert_eq!(own.header("x-request-id").map(str::len), Some(36));
    let stranger = host.send(Call::get(ORDINARY).header("origin", "https://evil.example")).await;
    assert_eq!((stranger.status, &*stranger.text()), (403, "Forbidden"));
}
