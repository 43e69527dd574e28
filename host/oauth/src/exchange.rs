//! A code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use crate::fetch::{Fetch, FetchError, MAX_BODY, word};

/// How the request's body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenMode {
    /// A JSON object.
    Json,
    /// A form, as the RFC has it.
    Form,
}

/// Where id and secret of the client stand (RFC 6749 §2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    /// `client_secret_post`: in the body.
    Post,
    /// `client_secret_basic`: in the header `authorization`.
    Basic,
}

/// One exchange.
pub(crate) struct Exchange<'a> {
    pub(crate) url: &'a Url,
    pub(crate) mode: TokenMode,
    pub(crate) auth: ClientAuth,
    pub(crate) client_id: &'a str,
    pub(crate) client_secret: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) code: &'a str,
    pub(crate) verifier: Option<&'a str>,
}

/// What a code is worth.
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) id_token: Option<String>,
}

impl Exchange<'_> {
    pub(crate) async fn run(&self, fetch: &Fetch) -> Result<Tokens, String> {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", self.code),
            ("redirect_uri", self.redirect_uri),
        ];
        fields.extend(self.verifier.map(|verifier| ("code_verifier", verifier)));
        let mut request = fetch.post(self.url);
        match self.auth {
            ClientAuth::Post => {
                fields.extend([("client_id", self.client_id), ("client_secret", self.client_secret)]);
            }
            ClientAuth::Basic => {
                let pair = basic(self.client_id, self.client_secret);
                let mut value = reqwest::header::HeaderValue::from_str(&pair)
                    .map_err(|_| "client id and secret do not fit into a header".to_owned())?;
                value.set_sensitive(true);
                request = request.header("authorization", value);
            }
        }
        request = match self.mode {
            TokenMode::Json => {
                let body: Map<String, Value> =
                    fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect();
                request.json(&body)
            }
            TokenMode::Form => {
                let body = Serializer::new(String::new()).extend_pairs(fields).finish();
                request.header("content-type", "application/x-www-form-urlencoded").body(body)
            }
        };
        let answer = fetch.send(request, MAX_BODY).await.map_err(|error| error.to_string())?;
        let host = answer.host().to_owned();
        let answer = answer.json::<Map<String, Value>>().map_err(|error: FetchError| error.to_string())?;
        tokens(&host, &answer)
    }
}

/// Reads a successful answer; some providers say 200 and mean an error.
fn tokens(host: &str, answer: &Map<String, Value>) -> Result<Tokens, String> {
    if let Some(error) = answer.get("error") {
        return Err(format!("{host} refused: `{}`", word(error.as_str().unwrap_or("error"))));
    }
    let text = |key: &str| answer.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let access_token = text("access_token").ok_or_else(|| format!("{host} sent no access_token"))?;
    match answer.get("token_type") {
        // Not every provider names it.
        None => {}
        Some(Value::String(kind)) if kind.eq_ignore_ascii_case("bearer") => {}
        Some(_) => return Err(format!("{host} sent a token of another type than Bearer")),
    }
    Ok(Tokens { access_token: access_token.to_owned(), id_token: text("id_token").map(str::to_owned) })
}

/// Both are form-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret))))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{basic, tokens};

    fn read(answer: Value) -> Result<(String, Option<String>), String> {
        let Value::Object(answer) = answer else { panic!("an object") };
        tokens("host", &answer).map(|tokens| (tokens.access_token, tokens.id_token))
    }

    #[test]
    fn tokens_are_read_and_errors_in_a_success_are_errors() {
        let both = read(json!({"access_token": "a", "id_token": "i", "token_type": "bearer"}));
        assert_eq!(both.unwrap(), ("a".to_owned(), Some("i".to_owned())));
        assert_eq!(read(json!({"access_token": "a"})).unwrap(), ("a".to_owned(), None));
        for (answer, reason) in [
            (json!({"error": "bad_verification_code", "access_token": "a"}), "bad_verification_code"),
            (json!({"error": {}, "access_token": "a"}), "refused"),
            (json!({"access_token": "a", "token_type": "mac"}), "Bearer"),
            (json!({"access_token": "a", "token_type": 1}), "Bearer"),
            (json!({"access_token": ""}), "no access_token"),
            (json!({"access_token": 5}), "no access_token"),
            (json!({}), "no access_token"),
        ] {
            let error = read(answer.clone()).expect_err(&answer.to_string());
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn id_and_secret_are_encoded_before_they_are_joined() {
        // `a%3Ab:c%2Bd+%25`
        assert_eq!(basic("a:b", "c+d %"), "Basic YSUzQWI6YyUyQmQrJTI1");
    }
}
