"""Who sends no credentials, or worthless ones, learns nothing; and what an address does not take."""

from api.contract import operations
from tests.api.asking import Api, problem

WORTHLESS = ("", "Bearer", "Bearer ", "Basic dev:pei.min", "Bearer pei.min", "Bearer dev:", "Bearer dev:Pei Min")
NONSENSE = ("Bearer dev:" + "x" * 100, "Bearer dev:-x", "Bearer dev:pei.min\x00", "dev:pei.min")


async def test_strangers_are_401_at_every_address_below_v1(api: Api) -> None:
    for operation in operations():
        if operation.path.startswith("/v1"):
            answer = await api.client.request(operation.method, operation.path)
            problem(answer, 401, "Unauthenticated")
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_strangers_do_not_even_learn_what_exists(api: Api) -> None:
    for method, path in (("GET", "/v1/nothing"), ("DELETE", "/v1/projects"), ("GET", "/v1"), ("GET", "/v1/%00")):
        problem(await api.client.request(method, path), 401, "Unauthenticated")


async def test_worthless_credentials_are_401(api: Api) -> None:
    for given in WORTHLESS + NONSENSE:
        problem(await api.client.get("/v1/projects", headers={"Authorization": given}), 401, "Unauthenticated")


async def test_the_scheme_is_not_case_sensitive(api: Api) -> None:
    assert (await api.client.get("/v1/projects", headers={"Authorization": "bearer dev:a"})).status_code == 200


async def test_a_method_that_an_address_does_not_take_is_405(api: Api) -> None:
    project = await api.start()
    for method, path, allowed in (
        ("DELETE", "/v1/projects", "GET, POST"),
        ("GET", f"/v1/projects/{project}/vote", "POST"),
        ("PUT", f"/v1/projects/{project}", "GET"),
        ("POST", "/livez", "GET"),
    ):
        answer = await api.client.request(method, path, headers={"Authorization": "Bearer dev:pei.min"})
        problem(answer, 405, "MethodNotAllowed")
        assert answer.headers["allow"] == allowed


async def test_every_problem_has_a_page(api: Api) -> None:
    found = problem(await api.get("/nothing"), 404, "NotFound")
    for code in (found["type"], "/problems/WrongStage"):
        page = await api.get(code, None)
        assert page.headers["content-type"].startswith("text/markdown")
        assert page.text.startswith("# ")
    for wrong in ("/problems/nothing", "/problems/%3Cscript%3E", "/problems/" + "X" * 100):
        problem(await api.get(wrong, None), 404, "NotFound")


async def test_titles_are_told_in_the_callers_language(api: Api) -> None:
    chinese = {"Accept-Language": "zh"}
    answer = await api.get("/nothing", headers=chinese)
    assert (problem(answer, 404)["title"], answer.headers["content-language"]) == ("不存在", "zh")
    project = await api.start()
    path = f"/v1/projects/{project}/propose-charter"
    told = problem(await api.post(path, {"revision": 1}, headers=chinese), 409, "NoDraft")
    assert told["title"] == "当前状态不允许(NoDraft)"
    assert problem(await api.post(path, {"revision": 1}), 409)["title"] == "No draft"
