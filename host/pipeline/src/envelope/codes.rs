//! The catalogue of error codes (wire protocol §1.10): every code that the host itself answers with,
//! and the status that goes with it unless its origin says another.

/// A code of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The stable translation key that stands in `errorCode`.
    pub code: &'static str,
    /// Its default `httpStatus`.
    pub http_status: u16,
}

/// Which of the two kinds of call speaks; several failures differ between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Surface {
    /// An API call, whatever its transport.
    Api,
    /// A sync call, whatever its transport.
    Sync,
}

impl Code {
    const fn new(code: &'static str, http_status: u16) -> Self {
        Code { code, http_status }
    }
}

impl Surface {
    /// As it stands in bucket keys and hook payloads: `api` or `sync`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Surface::Api => "api",
            Surface::Sync => "sync",
        }
    }

    /// The surface's default status for an error whose origin names none (§1.7, §1.10: 400 on both).
    pub const fn fallback_status(self) -> u16 {
        400
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal $status:literal;)*) => {
        $(
            $(#[$doc])*
            #[doc = concat!("\n\n`", $code, "`, ", $status, ".")]
            pub const $name: Code = Code::new($code, $status);
        )*
        #[cfg(test)]
        pub(in crate::envelope) const ALL: &[Code] = &[$($name),*];
    };
}

/// An error return whose code is missing, empty or no string (§1.7).
pub const INVALID_RESPONSE: Code = Code::new("error.invalidResponse", 400);

/// Codes of API calls.
pub mod api {
    use super::Code;

    codes! {
        /// `name` or `data` of a socket message has the wrong type.
        INVALID_REQUEST = "api.invalidRequest" 400;
        /// Nothing after `/api/`.
        INVALID_NAME = "api.invalidName" 400;
        /// The resolved input is not an object.
        INVALID_DATA_OBJECT = "api.invalidDataObject" 400;
        /// The body or `__luckystack_data` is not the JSON of an object.
        INVALID_REQUEST_FORMAT = "api.invalidRequestFormat" 400;
        /// Something unexpected escaped the HTTP handler: the same code with another status.
        UNEXPECTED = "api.invalidRequestFormat" 500;
        /// A content type that is neither JSON nor a form.
        UNSUPPORTED_MEDIA_TYPE = "api.unsupportedMediaType" 415;
        /// The body is larger than allowed.
        PAYLOAD_TOO_LARGE = "api.payloadTooLarge" 413;
        /// No such route. Param `name`.
        NOT_FOUND = "api.notFound" 404;
        /// The route's or the address's bucket is full. Param `seconds`.
        RATE_LIMIT_EXCEEDED = "api.rateLimitExceeded" 429;
        /// Wrong HTTP method. Param `method`, the expected one.
        METHOD_NOT_ALLOWED = "api.methodNotAllowed" 405;
        /// The input does not fit the route's type.
        INVALID_INPUT_TYPE = "api.invalidInputType" 400;
        /// The handler took too long.
        TIMEOUT = "api.timeout" 504;
        /// The handler failed unexpectedly.
        INTERNAL_SERVER_ERROR = "api.internalServerError" 500;
        /// The handler returned nothing.
        EMPTY_RESPONSE = "api.emptyResponse" 500;
        /// The handler's return has no valid `status`.
        INVALID_RESPONSE_STATUS = "api.invalidResponseStatus" 500;
        /// Something failed outside the handler, over a socket. Sent without `message`.
        SERVER_EXECUTION_FAILED = "api.serverExecutionFailed" 500;
        /// The development loader failed.
        DEV_TOOLS_UNAVAILABLE = "api.devToolsUnavailable" 503;
    }
}

/// Codes of sync calls. Unlike API's, nearly all of them are a 400.
pub mod sync {
    use super::Code;

    codes! {
        /// The message or its `name` or `data` has the wrong type.
        INVALID_REQUEST = "sync.invalidRequest" 400;
        /// Nothing after `/sync/`. Sent without `httpStatus`.
        INVALID_NAME = "sync.invalidName" 400;
        /// Not a POST. Sent without `httpStatus`.
        METHOD_NOT_ALLOWED = "sync.methodNotAllowed" 405;
        /// The host runs without sync.
        DISABLED = "sync.disabled" 404;
        /// The development loader failed.
        DEV_TOOLS_UNAVAILABLE = "sync.devToolsUnavailable" 503;
        /// `cb` is not a string.
        INVALID_CALLBACK = "sync.invalidCallback" 400;
        /// The receiver is missing or blank.
        MISSING_RECEIVER = "sync.missingReceiver" 400;
        /// No server half of that name.
        NOT_FOUND = "sync.notFound" 400;
        /// Login needed, or a condition with no session to look at.
        AUTH_REQUIRED = "auth.required" 400;
        /// Receiver `all` is not enabled.
        RECEIVER_NOT_ALLOWED = "sync.receiverNotAllowed" 403;
        /// The caller is not in the room.
        NOT_ROOM_MEMBER = "sync.notRoomMember" 403;
        /// The route's or the address's bucket is full. Param `seconds`.
        RATE_LIMIT_EXCEEDED = "sync.rateLimitExceeded" 429;
        /// The input does not fit the route's type.
        INVALID_INPUT_TYPE = "sync.invalidInputType" 400;
        /// The server half failed unexpectedly.
        SERVER_EXECUTION_FAILED = "sync.serverExecutionFailed" 400;
        /// The server half's return has no valid `status`.
        INVALID_SERVER_RESPONSE = "sync.invalidServerResponse" 400;
        /// The room was empty at fanout (sockets only).
        NO_RECEIVERS_FOUND = "sync.noReceiversFound" 400;
        /// The socket server is not running.
        IO_UNAVAILABLE = "sync.ioUnavailable" 400;
        /// To a recipient: the client half failed unexpectedly.
        CLIENT_EXECUTION_FAILED = "sync.clientExecutionFailed" 400;
        /// To a recipient: the client half returned an error without a code.
        CLIENT_REJECTED = "sync.clientRejected" 400;
        /// To a recipient: the client half's return is malformed.
        INVALID_CLIENT_RESPONSE = "sync.invalidClientResponse" 400;
        /// Something unexpected escaped the HTTP handler.
        INVALID_REQUEST_FORMAT = "sync.invalidRequestFormat" 500;
    }

    /// A code that clients silently ignore in an error frame; the host never sends it of itself.
    pub const IGNORE: &str = "sync.ignore";
}

/// Codes that both surfaces share.
pub mod auth {
    use super::Code;

    codes! {
        /// Login needed (API; for sync see [`super::sync::AUTH_REQUIRED`]).
        REQUIRED = "auth.required" 401;
        /// A condition on the session failed. Param `key`.
        FORBIDDEN = "auth.forbidden" 403;
        /// A condition names a key that the session lacks. Param `key`.
        INVALID_CONDITION = "auth.invalidCondition" 500;
        /// The CSRF token is missing or wrong.
        CSRF_MISMATCH = "auth.csrfMismatch" 403;
        /// `GET /auth/csrf` without a session.
        UNAUTHENTICATED = "auth.unauthenticated" 401;
    }
}

/// Codes of room requests over sockets.
pub mod room {
    use super::Code;

    codes! {
        /// No token.
        AUTH_REQUIRED = "auth.required" 400;
        /// The room's name is blank or too long.
        INVALID = "room.invalid" 400;
        /// The token has no session.
        SESSION_NOT_FOUND = "session.notFound" 400;
        /// A hook stopped the join without a code of its own.
        JOIN_BLOCKED = "room.joinBlocked" 400;
        /// A hook stopped the leave without a code of its own.
        LEAVE_BLOCKED = "room.leaveBlocked" 400;
    }
}

/// Codes of the framework's own HTTP endpoints.
pub mod framework {
    use super::Code;

    codes! {
        /// The test reset outside development and tests.
        NOT_FOUND = "notFound" 404;
        /// The test reset without its token.
        FORBIDDEN = "auth.forbidden" 403;
        /// An endpoint failed unexpectedly.
        INTERNAL_ERROR = "server.internalError" 500;
        /// A custom route failed unexpectedly.
        CUSTOM_ROUTE_FAILED = "server.customRouteFailed" 500;
    }
}

/// Codes of routing, here and in the router.
pub mod routing {
    use super::Code;

    codes! {
        /// The name does not follow the grammar of §1.2. Param `name`.
        INVALID_SERVICE_ROUTE_NAME = "routing.invalidServiceRouteName" 400;
        /// The router cannot read a service from the path.
        INVALID_REQUEST_PATH = "routing.invalidRequestPath" 400;
        /// No host serves this service here. Param `service`.
        SERVICE_NOT_ASSIGNED = "serviceNotAssigned" 502;
        /// The body is larger than the router forwards.
        REQUEST_BODY_TOO_LARGE = "routing.requestBodyTooLarge" 413;
        /// The service's host does not answer. Param `service`.
        UPSTREAM_UNREACHABLE = "routing.upstreamUnreachable" 502;
        /// The router failed unexpectedly.
        INTERNAL_ERROR = "routing.internalError" 500;
        /// A gate refused the request.
        GATE_DENIED = "routing.gateDenied" 403;
    }
}
