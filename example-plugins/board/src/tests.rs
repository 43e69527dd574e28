use super::*;
use luckystack::testing;

const ROOM: &str = "board-main";

fn ctx_of(id: &str) -> Ctx {
    testing::call().user(&json!({ "id": id, "name": format!("Name of {id}") })).room(ROOM).build()
}

fn add(who: &str, text: &str, private: bool) -> Changed {
    add_card(&ctx_of(who), Add { text: text.into(), column: Column::Todo, private }).unwrap()
}

fn moved(who: &str, id: &str, column: Column, before: Option<&str>) -> Result<Changed, HandlerError> {
    move_card(&ctx_of(who), Move { id: id.into(), column, before: before.map(str::to_owned) })
}

/// The texts that somebody sees in a column, from the top.
fn seen(who: &str, column: Column) -> Vec<String> {
    let whole = get(&ctx_of(who), Get { board: "main".into() }).unwrap();
    whole.cards.into_iter().filter(|card| card.column == column).map(|card| card.text).collect()
}

#[test]
fn cards_stand_where_they_are_put_and_the_room_is_told_so() {
    let first = add("ada", " one ", false);
    let second = add("bob", "two", false);
    assert!(first.rev < second.rev);
    assert_eq!(seen("ada", Column::Todo), ["one", "two"]);
    let card = moved("bob", &second.id, Column::Todo, Some(&first.id)).unwrap().card.unwrap();
    assert_eq!((card.owner_name.as_str(), card.rev > second.rev), ("Name of bob", true));
    assert_eq!(seen("ada", Column::Todo), ["two", "one"]);
    moved("ada", &second.id, Column::Done, Some("not there")).unwrap();
    assert_eq!(
        (seen("ada", Column::Todo), seen("ada", Column::Done)),
        (vec!["one".into()], vec!["two".into()])
    );
    remove_card(&ctx_of("bob"), Remove { id: first.id.clone() }).unwrap();
    assert_eq!(seen("ada", Column::Todo), Vec::<String>::new());
    assert_eq!(moved("ada", &first.id, Column::Done, None).unwrap_err().code(), "board.noSuchCard");
}

#[test]
fn a_private_card_is_nowhere_but_with_its_owner() {
    let secret = add("ada", "secret", true);
    let told = luckystack::serde_json::to_string(&secret).unwrap();
    assert!(secret.private && !told.contains("secret") && !told.contains("ada"), "{told}");
    assert_eq!(seen("ada", Column::Todo), ["secret"]);
    assert_eq!(seen("bob", Column::Todo), Vec::<String>::new());
    let error = moved("bob", &secret.id, Column::Done, None).unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("board.noSuchCard", Some(404)));
    let edit = |who, id: &str, private| {
        edit_card(&ctx_of(who), Edit { id: id.into(), text: None, private: Some(private) })
    };
    assert_eq!(edit("ada", &secret.id, false).unwrap().card.unwrap().text, "secret");
    assert_eq!(seen("bob", Column::Todo), ["secret"]);
    let error = edit("bob", &secret.id, true).unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("board.notYours", Some(403)));
    let hidden = edit("ada", &secret.id, true).unwrap();
    assert!(hidden.private && hidden.card.is_none());
}

#[test]
fn there_is_always_room_between_two_cards() {
    let [top, bottom] = ["top", "bottom"].map(|text| add("ada", text, false).id);
    let mut expected = vec!["top".to_owned(), "bottom".to_owned()];
    let mut anew = 0;
    for number in 0..200 {
        let id = add("ada", &number.to_string(), false).id;
        let told = moved("ada", &id, Column::Todo, Some(&bottom)).unwrap();
        anew += usize::from(!told.ranks.is_empty());
        expected.insert(expected.len() - 1, number.to_string());
    }
    assert_eq!(seen("ada", Column::Todo), expected);
    assert!((1..20).contains(&anew), "{anew}");
    let _ = top;
}

#[test]
fn what_is_no_board_and_no_card_is_refused() {
    for room in ["main", "board-", "board-Main", "board-a/b", "board-../x"] {
        let ctx = testing::call().user(&json!({ "id": "ada" })).room(room).build();
        let error =
            add_card(&ctx, Add { text: "x".into(), column: Column::Todo, private: false }).unwrap_err();
        assert_eq!(error.code(), "board.unknown", "{room}");
    }
    let error = add_card(&ctx_of("ada"), Add { text: " \n".into(), column: Column::Todo, private: false })
        .unwrap_err();
    assert_eq!(error.code(), "board.emptyCard");
    let anonymous = testing::call().room(ROOM).build();
    assert_eq!(get(&anonymous, Get { board: "main".into() }).unwrap_err().code(), "auth.required");
}

#[test]
fn people_are_there_until_they_go_or_are_silent() {
    let sign = |who: &str, state: &str| -> Vec<Value> {
        let ctx = testing::call()
            .user(&json!({ "id": who, "name": who }))
            .room(ROOM)
            .route("sync/board/here/v1")
            .build();
        let answer = testing::call_route(&PLUGIN, ctx, &json!({ "state": state })).unwrap();
        answer["result"]["people"].as_array().unwrap().clone()
    };
    testing::set_now(std::time::Duration::from_secs(1000));
    sign("ada", "here");
    let people = sign("bob", "away");
    let known: Vec<_> = people.iter().map(|person| (&person["id"], &person["away"])).collect();
    assert_eq!(known, [(&json!("ada"), &json!(false)), (&json!("bob"), &json!(true))]);
    assert_eq!(sign("bob", "gone").len(), 1);
    testing::set_now(std::time::Duration::from_secs(1066));
    assert_eq!(sign("bob", "here").len(), 1, "ada is silent");
}

#[test]
fn a_pointer_is_shown_to_the_room_and_kept_nowhere() {
    let ctx = testing::call()
        .user(&json!({ "id": "ada", "name": "Ada" }))
        .room(ROOM)
        .route("sync/board/cursor/v1")
        .build();
    testing::call_route(&PLUGIN, ctx, &json!({ "column": "doing", "x": 0.5, "y": 120 })).unwrap();
    let shown: Vec<Value> = testing::broadcasts();
    assert_eq!(
        shown,
        [
            json!({ "cursor": { "id": "ada", "name": "Ada", "at": { "column": "doing", "x": 0.5, "y": 120.0 } } })
        ]
    );
}
