"""A small OpenID provider, run as a process of its own: `python -m tests.auth.provider PORT`.

It does what a good one does (discovery, a login form, codes that work once, PKCE, a client's secret, RS256 keys that
change) and, when a test tells it to by POST /control, what a broken or hostile one would do.
"""

import base64
import hmac
import sys
import time
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape
from secrets import token_urlsafe
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
import uvicorn
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT, SECRET, PASSWORD = "tandem", "s3cret/with:signs", "let me in"
FORM = """<!doctype html><html lang="en"><title>Provider</title><h1>Sign in</h1><form method="post" action="/login">
<input type="hidden" name="asked" value="{asked}"><label>Name <input name="name"></label>
<label>Password <input name="password" type="password"></label><button>Go</button></form></html>"""


@dataclass
class State:
    """What the process remembers."""

    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k-0", "use": "sig"}))
    rotations: int = 0
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    """What the test wants to be different."""


STATE = State()


async def discovery(request: Request) -> Response:
    known = {
        "issuer": STATE.issuer,
        "authorization_endpoint": f"{STATE.issuer}/authorize",
        "token_endpoint": f"{STATE.issuer}/token",
        "jwks_uri": f"{STATE.issuer}/keys",
        "authorization_response_iss_parameter_supported": True,
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    return JSONResponse(known | STATE.told.get("discovery", {}))


async def keys(request: Request) -> Response:
    encrypting = {"kty": "RSA", "use": "enc", "kid": "e", "n": "AQAB", "e": "AQAB"}
    return JSONResponse({"keys": [{"kty": "odd"}, encrypting, STATE.key.as_dict(private=False)]})


async def authorize(request: Request) -> Response:
    """The login form, or straight back where the browser is signed in here and need not do so again."""
    asked = dict(request.query_params)
    good = asked.get("client_id") == CLIENT and asked.get("code_challenge_method") == "S256"
    if not good or asked.get("response_type") != "code" or not asked["redirect_uri"].startswith("http://127.0.0.1"):
        return HTMLResponse("This is no good question.", 400)
    if word := STATE.told.get("error"):
        return _back(asked, error=word, error_description="<script>")
    if "sso" in request.cookies and (asked.get("prompt") != "login" or STATE.told.get("lazy")):
        name, at = request.cookies["sso"].split(":")
        return _coded(asked, name, int(at))
    return HTMLResponse(FORM.format(asked=escape(urlencode(asked))))


async def login(request: Request) -> Response:
    sent = dict(parse_qsl((await request.body()).decode()))
    if sent.get("password") != PASSWORD:
        return HTMLResponse("No.", 403)
    now = int(time.time())
    answer = _coded(dict(parse_qsl(sent["asked"])), sent["name"], now)
    answer.set_cookie("sso", f"{sent['name']}:{now}", httponly=True)
    return answer


async def token(request: Request) -> Response:
    if seconds := STATE.told.get("seconds"):
        await run_in_threadpool(time.sleep, seconds)
    if status := STATE.told.get("status"):
        return HTMLResponse(STATE.told.get("body", "Something"), status)
    sent = dict(parse_qsl((await request.body()).decode()))
    known = STATE.codes.pop(sent.get("code", ""), None)
    named = base64.b64encode(f"{CLIENT}:s3cret%2Fwith%3Asigns".encode()).decode()
    if request.headers.get("authorization") != f"Basic {named}" or known is None:
        return JSONResponse({"error": "invalid_grant"}, 400)
    asked = known["asked"]
    if create_s256_code_challenge(sent.get("code_verifier", "")) != asked["code_challenge"]:
        return JSONResponse({"error": "invalid_grant"}, 400)
    if sent.get("redirect_uri") != asked["redirect_uri"]:
        return JSONResponse({"error": "invalid_grant"}, 400)
    return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": _signed(_claims(asked, known))})


async def control(request: Request) -> Response:
    """What is to be different from now on; `rotate`: sign with another key."""
    STATE.told = orjson.loads(await request.body())
    if STATE.told.get("rotate"):
        STATE.rotations += 1
        STATE.key = RSAKey.generate_key(2048, {"kid": f"k-{STATE.rotations}", "use": "sig"})
    return Response(status_code=204)


def _coded(asked: dict[str, str], name: str, at: int) -> Response:
    code = token_urlsafe()
    STATE.codes[code] = {"asked": asked, "name": name, "at": at}
    return _back(asked, code=code)


def _back(asked: dict[str, str], **answer: str) -> Response:
    told = {"state": asked["state"], "iss": STATE.issuer, **answer, **STATE.told.get("answer", {})}
    return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({k: v for k, v in told.items() if v})}", 303)


def _claims(asked: dict[str, str], known: dict[str, Any]) -> dict[str, Any]:
    now, name = int(time.time()), known["name"]
    claims = {
        "iss": STATE.issuer,
        "aud": CLIENT,
        "sub": f"sub-{name}",
        "iat": now,
        "exp": now + 300,
        "nonce": asked["nonce"],
        "auth_time": known["at"] - STATE.told.get("slept", 0),
        "preferred_username": name,
        "groups": STATE.told.get("groups", []),
    }
    changed = claims | {k: v + now if v and k in {"iat", "exp"} else v for k, v in STATE.told.get("claims", {}).items()}
    return {name: value for name, value in changed.items() if value is not None}


def _signed(claims: dict[str, Any]) -> str:
    way = STATE.told.get("sign", "RS256")
    if way == "RS256":
        return jwt.encode({"alg": "RS256", "kid": STATE.key.kid}, claims, STATE.key)
    if way == "other key":
        return jwt.encode({"alg": "RS256", "kid": STATE.key.kid}, claims, RSAKey.generate_key(2048))
    head = _part(orjson.dumps({"alg": way, "kid": STATE.key.kid}))
    said = f"{head}.{_part(orjson.dumps(claims))}"
    mark = b"" if way == "none" else hmac.digest(STATE.key.as_pem(private=False), said.encode(), sha256)
    return f"{said}.{_part(mark)}"


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


APP = Starlette(
    routes=[
        Route("/.well-known/openid-configuration", discovery),
        Route("/keys", keys),
        Route("/authorize", authorize),
        Route("/login", login, methods=["POST"]),
        Route("/token", token, methods=["POST"]),
        Route("/control", control, methods=["POST"]),
    ]
)

if __name__ == "__main__":
    STATE.issuer = f"http://127.0.0.1:{sys.argv[1]}"
    uvicorn.run(APP, port=int(sys.argv[1]), log_config=None, access_log=False)
