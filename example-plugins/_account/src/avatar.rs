//! The picture of a user.

use luckystack::prelude::*;

use crate::{Me, picture};

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Upload {
    /// A data URL (`data:image/png;base64,…`), or base64 alone: PNG, JPEG, GIF or WebP, at most 4 MiB.
    image: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Avatar {
    /// The file below `/uploads/`; empty when there is none.
    avatar: String,
}

/// Makes a picture the caller's avatar.
#[api(login = true, rate_limit = 10)]
pub(crate) fn upload_avatar(ctx: &Ctx, input: Upload) -> Result<Avatar, HandlerError> {
    let me = Me::of(ctx)?;
    let sent = picture::decode_base64(&input.image)?;
    drop(input);
    let name = file_of(&me);
    uploads::put(&name, &picture::avatar(&sent)?)?;
    accounts::update(&me.id, &json!({ "avatar": name }))?;
    Ok(Avatar { avatar: name })
}

/// Takes the caller's avatar away; there is none afterwards, whether or not there was one.
#[api(login = true, rate_limit = 10)]
pub(crate) fn remove_avatar(ctx: &Ctx) -> Result<Avatar, HandlerError> {
    let me = Me::of(ctx)?;
    // In this order nobody is left with an avatar that is not there.
    accounts::update(&me.id, &json!({ "avatar": "" }))?;
    uploads::remove(&file_of(&me))?;
    Ok(Avatar { avatar: String::new() })
}

/// The file of a user's avatar.
pub(crate) fn file_of(me: &Me) -> String {
    format!("{}.webp", me.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use luckystack::testing;

    use crate::PLUGIN;
    use crate::picture::tests::{base64, png};

    fn call(route: &str, input: &Value) -> Result<Value, HandlerError> {
        let call = testing::call().user(&json!({ "id": "u1" })).route(route);
        testing::call_route(&PLUGIN, call.build(), input).map(|answer| answer["result"].clone())
    }

    #[test]
    fn an_avatar_is_put_up_and_taken_down() {
        testing::account(&json!({ "id": "u1", "avatar": "https://provider/picture" }));
        let sent = base64(&png(300, 200));
        let answer = call("api/system/uploadAvatar/v1", &json!({ "image": sent })).unwrap();
        assert_eq!(answer, json!({ "avatar": "u1.webp" }));
        assert_eq!(accounts::get("u1").unwrap().unwrap()["avatar"], "u1.webp");
        assert!(testing::uploaded("u1.webp").unwrap().starts_with(b"RIFF"));

        for _ in 0..2 {
            let answer = call("api/system/removeAvatar/v1", &json!({})).unwrap();
            assert_eq!(answer, json!({ "avatar": "" }));
            assert_eq!(accounts::get("u1").unwrap().unwrap()["avatar"], "");
            assert_eq!(testing::uploaded("u1.webp"), None);
        }
    }

    #[test]
    fn a_picture_that_will_not_do_leaves_the_old_one() {
        testing::account(&json!({ "id": "u1", "avatar": "u1.webp" }));
        uploads::put("u1.webp", b"old").unwrap();
        let error = call("api/system/uploadAvatar/v1", &json!({ "image": "!!" })).unwrap_err();
        assert_eq!(error.code(), "avatar.invalidFormat");
        assert_eq!(testing::uploaded("u1.webp").unwrap(), b"old");
        assert!(testing::account_acts().is_empty());
    }
}
