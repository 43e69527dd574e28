"""Decorators, the manifest, and the way from JSON to JSON."""

import json
import pathlib
import unittest
from dataclasses import dataclass
from typing import Any, TypedDict

import luckystack
from luckystack import (
    Ctx,
    DefinitionError,
    ErrorEvent,
    Flat,
    HandlerError,
    Recipient,
    Replace,
    Response,
    Stop,
    _dispatch,
    _registry,
    accounts,
    api,
    config,
    error_formatter,
    function,
    hook,
    http,
    keyvalue,
    sessions,
    sync_client,
    sync_server,
    testing,
    uploads,
)
from luckystack._plugin import Plugin


@dataclass
class ById:
    id: str


@dataclass
class Found:
    id: str
    user: str | None


@dataclass
class Chunk:
    step: int


class Event(TypedDict):
    routeName: str


@api(login=True, additional=[{"key": "role", "value": "editor"}], rate_limit=5, stream=Chunk)
def get_by_id(ctx: Ctx, input: ById) -> Found:
    """Finds one.

    More that is not part of the description.
    """
    if input.id == "none":
        raise HandlerError("things.notFound", id=input.id, status=404)
    for step in range(2):
        if not ctx.stream(Chunk(step)):
            break
    ctx.log.info("found %s", input.id)
    return Found(input.id, ctx.user["id"] if ctx.user else None)


@api
def created(ctx: Ctx) -> Response[str]:
    return Response("new", status=201, extra={"warnings": []})


@api
def flat() -> Flat[dict]:
    return Flat({"a": 1})


@api(validation="relaxed")
def relaxed(input: ById) -> str:
    return input.id


@api
def uses_everything(ctx: Ctx) -> Any:
    store = keyvalue.open()
    store.set_json("a", [1])
    return [
        store.get_json("a"),
        list(store.keys()),
        store.increment("n"),
        config.get("depot"),
        ctx.config.get("none", "default"),
        http.get("https://example.com").ok().json(),
        ctx.call_function("geo/distance", {"to": 1}),
        ctx.call_function("geo/point", returns=Chunk).step,
        luckystack.call_function("geo/fixed"),
    ]


@api
def session_calls(ctx: Ctx) -> Any:
    ctx.session.update({"theme": "dark", "draft": None})
    sessions.update("other", {"theme": "light"})
    try:
        ctx.session.update({"email": "x"})
    except HandlerError as error:
        refused = (error.code, error.params)
    return [ctx.user, sessions.get("other").user, refused, ctx.session.end(), ctx.session.end(), sessions.end("none")]


@api
def account_calls(ctx: Ctx) -> Any:
    accounts.check_password("u1", "right")
    accounts.change_password("u1", "old", "new", keep=ctx.session.token)
    accounts.set_password("u1", "new")
    accounts.request_password_reset("a@b.c", ctx.ip)
    accounts.complete_password_reset("token", "new")
    accounts.request_email_change("u1", "a@b.c")
    accounts.confirm_email_change("token")
    accounts.delete("u1")
    return [accounts.get("u1"), accounts.get("u2"), accounts.update("u1", {"name": "Bea"})]


@api
def upload_calls() -> Any:
    uploads.put("a.webp", b"\x01\xff")
    uploads.put("b.webp", bytearray(b"b"))
    return [uploads.remove("b.webp"), uploads.remove("b.webp")]


@api
def broken() -> None:
    raise KeyError("inner")


@sync_server
def move(ctx: Ctx, input: ById) -> str:
    ctx.broadcast({"id": input.id})
    return ctx.room


@sync_client(name="move")
def move_client(to: Recipient, input: ById, server: str) -> str:
    if to.language == "nl":
        raise HandlerError("sync.no")
    return f"{input.id} {server}"


@hook("preApiExecute", routes=["api/test/"], order=3)
def guard(event: Event):
    if event["routeName"].endswith("stop/v1"):
        return Stop("guard.stopped", status=423)
    if event["routeName"].endswith("raise/v1"):
        raise HandlerError("guard.raised", status=401)
    if event["routeName"].endswith("fail/v1"):
        raise ValueError
    return None


@hook("transformApiResponse")
def transform(event):
    return Replace(event["response"] | {"seen": True})


@function("math/double")
def double(args: Chunk) -> Chunk:
    return Chunk(args.step * 2)


@error_formatter(everywhere=True)
def formatted(event: ErrorEvent) -> dict | None:
    return {"code": event.envelope["errorCode"]} if event.user_id else None


class Calls(unittest.TestCase):
    def test_a_call_goes_from_json_to_json(self):
        answer = testing.call(get_by_id, {"id": "v1"}, session={"id": "u1"})
        self.assertEqual(answer.body, {"status": "success", "result": {"id": "v1", "user": "u1"}})
        self.assertEqual(answer.streamed, [{"step": 0}, {"step": 1}])
        self.assertEqual(answer.logs, [("info", "found v1")])

    def test_a_handler_is_still_the_function_that_was_written(self):
        with testing.hosted(testing.FakeHost()):
            self.assertEqual(get_by_id(testing.context(), ById("v1")), Found("v1", None))

    def test_streams_say_that_nobody_listens(self):
        self.assertEqual(testing.call(get_by_id, {"id": "v1"}, listening=False).streamed, [])

    def test_errors_keep_code_params_and_status(self):
        with self.assertRaises(HandlerError) as caught:
            testing.call(get_by_id, {"id": "none"})
        error = caught.exception
        self.assertEqual((error.code, error.params, error.status), ("things.notFound", {"id": "none"}, 404))

    def test_input_is_checked_as_the_host_does(self):
        for input in ({}, {"id": 1}, {"id": "a", "more": 1}, {"id": None}):
            with self.subTest(input=input), self.assertRaises(HandlerError) as caught:
                testing.call(get_by_id, input)
            self.assertEqual(caught.exception.code, "api.invalidInputType")

    def test_relaxed_routes_still_convert_and_refuse_what_does_not_fit(self):
        self.assertEqual(testing.call(relaxed, {"id": "a"}).result, "a")
        with self.assertRaises(HandlerError) as caught:
            testing.call(relaxed, {"id": 1})
        self.assertEqual((caught.exception.code, caught.exception.status), ("api.invalidInputType", 400))

    def test_answers_with_a_status_further_keys_or_no_result(self):
        answer = testing.call(created)
        self.assertEqual((answer.status, answer.result, answer.body["warnings"]), (201, "new", []))
        self.assertEqual(testing.call(flat).body, {"status": "success", "a": 1})
        for wrong in (Flat([1]), Flat({"status": 1}), Response(1, extra={"result": 2})):
            with self.subTest(wrong=wrong), self.assertRaises(ValueError):
                _dispatch.success(wrong)

    def test_a_handler_reaches_store_configuration_http_and_functions(self):
        answer = testing.call(
            uses_everything,
            config={"depot": "1,2"},
            functions={"geo/distance": lambda args: args["to"], "geo/point": {"step": 4}, "geo/fixed": "x"},
            http=lambda request: http.Response(200, [], json.dumps(request.method).encode()),
        )
        self.assertEqual(answer.result, [[1], ["a"], 1, "1,2", "default", "GET", 1, 4, "x"])

    def test_a_session_is_updated_and_ended_by_its_token(self):
        answer = testing.call(
            session_calls,
            session={"id": "u1", "draft": 1},
            sessions={"other": {"id": "u2"}},
            session_fields=["theme", "draft"],
        )
        self.assertEqual(
            answer.result,
            [
                {"id": "u1", "theme": "dark"},
                {"id": "u2", "theme": "light"},
                ["session.fieldNotAllowed", {"field": "email"}],
                True,
                False,
                False,
            ],
        )
        for call, message in (
            (lambda: sessions.update("t", "dark"), "a dict, not 'dark'"),
            (lambda: accounts.update("u1", []), "a dict, not"),
            (lambda: accounts.change_password("u1", None, "new"), "set_password"),
            (lambda: uploads.put("a", "text"), "bytes, not str"),
        ):
            with self.assertRaisesRegex(TypeError, message):
                call()
        with testing.hosted(testing.FakeHost()), self.assertRaisesRegex(HandlerError, "session.notFound"):
            sessions.update("gone", {})

    def test_accounts_are_asked_in_the_order_of_the_contract(self):
        class Accounts:
            calls = []

            def __getattr__(self, name):
                return lambda *arguments: self.calls.append((name, *arguments))

            def get(self, user_id):
                return {"id": user_id} if user_id == "u1" else None

            def update(self, user_id, fields):
                return {"id": user_id, **fields}

        answer = testing.call(account_calls, session={"id": "u1"}, ip="192.0.2.1", accounts=Accounts())
        self.assertEqual(answer.result, [{"id": "u1"}, None, {"id": "u1", "name": "Bea"}])
        self.assertEqual(
            Accounts.calls,
            [
                ("check_password", "u1", "right"),
                ("change_password", "u1", "old", "new", "test-token"),
                ("change_password", "u1", None, "new", None),
                ("request_password_reset", "a@b.c", "192.0.2.1"),
                ("complete_password_reset", "token", "new"),
                ("request_email_change", "u1", "a@b.c"),
                ("confirm_email_change", "token"),
                ("delete", "u1"),
            ],
        )

    def test_uploads_are_files_by_name(self):
        files = {}
        self.assertEqual(testing.call(upload_calls, uploads=files).result, [True, False])
        self.assertEqual(files, {"a.webp": b"\x01\xff"})

    def test_an_exception_is_seen_by_the_test_and_hidden_from_the_client(self):
        with self.assertRaises(KeyError):
            testing.call(broken)
        with testing.hosted(testing.FakeHost()) as logs, self.assertRaises(HandlerError) as caught:
            _dispatch.call_route(broken.__luckystack__, testing.context(), b"{}")
        self.assertEqual((caught.exception.code, caught.exception.status), ("api.internalServerError", 500))
        level, text = logs[0]
        self.assertEqual(level, "error")
        self.assertIn("in broken\n    raise KeyError", text)
        self.assertNotIn("_dispatch.py", text)

    def test_sync_halves(self):
        answer = testing.call(move, {"id": "c"}, room="r1")
        self.assertEqual((answer.result, answer.streamed), ("r1", [{"id": "c"}]))
        to = [("t1", "en"), (None, "nl")]
        first, second = testing.call_sync_client(move_client, {"id": "c"}, "r1", recipients=to)
        self.assertEqual(first, {"status": "success", "result": "c r1"})
        self.assertEqual(second.code, "sync.no")

    def test_a_client_half_streams_to_each_recipient_alone(self):
        sent = []

        class Host(testing.FakeHost):
            def send_to_recipient(self, recipient, chunk):
                sent.append((recipient, json.loads(chunk)))
                return True

        @sync_client(name="watch")
        def watch(to: Recipient, input: ById) -> bool:
            return to.stream({"for": to.token})

        plugin = Plugin("test", "test")
        plugin.add(watch.__luckystack__)
        with testing.hosted(Host()):
            answers = _dispatch.call_sync_client(
                plugin, "sync/test/watch/v1", "r1", b'{"id":"c"}', b'{"status":"success"}', [("t1", "en"), (None, "nl")]
            )
        self.assertEqual(sent, [(0, {"for": "t1"}), (1, {"for": None})])
        self.assertTrue(all(json.loads(answer)["result"] for answer in answers))

    def test_hooks_go_on_stop_or_replace(self):
        self.assertIsNone(testing.call_hook(guard, {"routeName": "api/test/fine/v1", "more": 1}))
        self.assertEqual(testing.call_hook(guard, {"routeName": "stop/v1"}), Stop("guard.stopped", 423))
        self.assertEqual(testing.call_hook(guard, {"routeName": "raise/v1"}), Stop("guard.raised", 401))
        self.assertIsNone(testing.call_hook(guard, {"routeName": "fail/v1"}))
        self.assertEqual(testing.call_hook(transform, {"response": {"a": 1}}), Replace({"a": 1, "seen": True}))

    def test_functions_and_formatters(self):
        self.assertEqual(testing.call_function(double, {"step": 4}), {"step": 8})
        plugin = Plugin("test", "test")
        plugin.add(formatted.__luckystack__)
        event = ErrorEvent("api/a/b/v1", "http", "u1", {"errorCode": "x"})
        self.assertEqual(_dispatch.format_error(plugin, event), b'{"code":"x"}')
        self.assertIsNone(_dispatch.format_error(plugin, ErrorEvent("a", "http", None, {})))


class Manifests(unittest.TestCase):
    def test_it_says_what_the_decorators_say(self):
        manifest = testing.manifest(get_by_id, relaxed, move, move_client, guard, transform, double, formatted)
        found, lax, server, client = manifest["routes"]
        self.assertEqual((found["name"], found["version"], found["description"]), ("getById", 1, "Finds one."))
        self.assertEqual(found["auth"], {"login": True, "additional": [{"key": "role", "value": "editor"}]})
        self.assertEqual((found["rateLimit"], found["stream"]["required"]), (5, ["step"]))
        self.assertEqual((lax["validation"], server["kind"], client["kind"]), ("relaxed", "sync-server", "sync-client"))
        self.assertNotIn("input", client)
        self.assertEqual(
            manifest["hooks"],
            [
                {"hook": "preApiExecute", "order": 3, "payload": ["routeName"], "routes": ["api/test/"]},
                {"hook": "transformApiResponse"},
            ],
        )
        self.assertEqual(manifest["functions"][0]["name"], "math/double")
        self.assertEqual(manifest["errorFormatter"], "global")

    def test_it_uses_no_key_that_the_contract_does_not_have(self):
        path = pathlib.Path(__file__).parents[3] / "wit" / "manifest.schema.json"
        schema = json.loads(path.read_text())
        manifest = testing.manifest(get_by_id, created, flat, move, move_client, guard, double, formatted)
        self.assertLessEqual(manifest.keys(), schema["properties"].keys())
        for kind, name in (("routes", "route"), ("hooks", "hook"), ("functions", "function")):
            for entry in manifest[kind]:
                self.assertLessEqual(entry.keys(), schema["$defs"][name]["properties"].keys())
                self.assertGreaterEqual(entry.keys(), set(schema["$defs"][name]["required"]))

    def test_mistakes_are_refused_with_the_rule(self):
        def two(a: ById, b: ById):
            pass

        async def waits():
            pass

        def keyword(*, input: ById):
            pass

        def number(input: int):
            pass

        def odd(input: ById) -> complex:
            pass

        cases = [
            (lambda: api(name="1st"), "begins with a letter"),
            (lambda: api(version="1"), "version is a number"),
            (lambda: api(page="a//b"), "is not a page"),
            (lambda: api(method="get"), "method is one of GET"),
            (lambda: api(rate_limit=0), "rate_limit is a number of calls"),
            (lambda: api(validation="lax"), "validation is"),
            (lambda: api(additional=[{"role": 1}]), "additional: {'role': 1}"),
            (lambda: function("distance"), "`group/name`"),
            (lambda: hook("preApiExecute", routes=["vehicles"]), "neither a full route"),
            (lambda: hook("preApiExecute", payload="routeName"), "payload is a list of strings"),
            (lambda: api("name"), "a decorator's argument is written with its name"),
            (lambda: api(move), "decorated twice"),
            (lambda: testing.manifest(api(two)), "it has parameters a, b"),
            (lambda: testing.manifest(api(waits)), "`async def` is not supported"),
            (lambda: testing.manifest(api(keyword)), "parameter `input`"),
            (lambda: testing.manifest(api(number)), "the input of a handler is an object"),
            (lambda: testing.manifest(api(odd)), "the return type: the type complex"),
        ]
        before = len(_registry.DEFINITIONS)
        for make, message in cases:
            with self.subTest(message=message), self.assertRaises(DefinitionError) as caught:
                make()
            self.assertIn(message, str(caught.exception))
        del _registry.DEFINITIONS[before:]

    def test_a_mistyped_option_is_named_by_python(self):
        with self.assertRaisesRegex(TypeError, "logn"):
            api(logn=True)

    def test_no_route_twice_and_no_page_of_another_service(self):
        plugin = Plugin("test", "test")
        plugin.add(flat.__luckystack__)
        with self.assertRaisesRegex(DefinitionError, "api api/test/flat/v1 is defined twice"):
            plugin.add(flat.__luckystack__)
        other = _registry.Definition("api", lambda: None, {}, "x", 1, "others")
        with self.assertRaisesRegex(DefinitionError, "is not of this service"):
            plugin.add(other)


if __name__ == "__main__":
    unittest.main()
