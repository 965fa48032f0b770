"""An exchange is whole or it is named what it lacks: everything that `docs/how-to/add-an-exchange.md` asks for."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tradehook import contract, registry
from tradehook.contract import Capabilities, Option, Spec
from tradehook_provider.get_provider_info import get_provider_info

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "add-an-exchange.md"
FILES = {
    "client/tradehook/exchanges/NAME/__init__.py": "its card and its class",
    "client/tradehook/exchanges/NAME/opening.py": "from settings to an open account",
    "provider/tradehook_provider/hooks/NAME.py": "the hook of its connections",
    "sandbox/tradehook_sandbox/NAME/exchange.py": "its emulator",
    "sandbox/tradehook_sandbox/NAME/routes.py": "what its emulator serves",
    "docs/reference/PAGE.md": "its page",
    "tests/client/exchanges/test_NAME_*.py": "tests of what is its own",
    "tests/sandbox/NAME/test_*.py": "tests of its emulator",
}
"""What each exchange has, with its name for NAME, and for PAGE with dashes; and what that is for."""
MENTIONS = {
    "client/tradehook/cli/options.py": '"{name}"',
    "sandbox/tradehook_sandbox/sandbox.py": "tradehook_sandbox.{name}.",
    "docs/index.md": "reference/{page}.md",
    "docs/reference/settings.md": "`{name}`",
    "docs/reference/airflow.md": "`{name}`",
}
"""Where each exchange is named, and how."""
OPENING = ("open_account", "describe_login")
_LEAST_SENTENCE = 20


def lacks(name: str, card: Spec | None, *, root: Path = ROOT, info: Mapping[str, Any] | None = None) -> list[str]:
    """Everything that an exchange lacks, one sentence each; none when it is whole.

    Args:
        name: as in `registry.EXCHANGES`.
        card: its `SPEC`, `None` where there is none.
        root: the project.
        info: what Airflow is told of the provider.
    """
    found = [*_files(name, root), *_mentions(name, root), *_forms(name, info or get_provider_info())]
    if card is None:
        return [*found, f"{name} has no SPEC"]
    return [*found, *_card(name, card), *_options(card, root), *_class(name, card, root), *_contract_test(root)]


def _files(name: str, root: Path) -> Iterator[str]:
    for pattern, what in FILES.items():
        path = _filled(pattern, name)
        if not any(root.glob(path)):
            yield f"{path} is not there: {what}"


def _filled(pattern: str, name: str) -> str:
    return pattern.replace("NAME", name).replace("PAGE", name.replace("_", "-"))


def _mentions(name: str, root: Path) -> Iterator[str]:
    for path, words in MENTIONS.items():
        wanted = words.format(name=name, page=name.replace("_", "-"))
        if wanted not in _text(root / path):
            yield f"{path} does not name it: {wanted}"


def _forms(name: str, info: Mapping[str, Any]) -> Iterator[str]:
    forms = {form["connection-type"]: form for form in info["connection-types"]}
    if name not in forms:
        yield f"get_provider_info has no connection form of type {name}"
    elif f".hooks.{name}." not in forms[name]["hook-class-name"]:
        yield f"the connection form of type {name} leads to {forms[name]['hook-class-name']}, not to its own hook"
    if f"tradehook_provider.hooks.{name}" not in [one for hook in info["hooks"] for one in hook["python-modules"]]:
        yield f"get_provider_info does not list the hook of {name}"


def _card(name: str, card: Spec) -> Iterator[str]:
    if card.name != name:
        yield f"its SPEC calls it {card.name}"
    if "sandbox" not in card.hosts:
        yield "its SPEC has no sandbox among its hosts"
    live = [host for environment, host in card.hosts.items() if environment != "sandbox"]
    if not live or not card.live_domains:
        yield "its SPEC does not say where real money moves"
    if [host for host in live if not host.startswith("https:")]:
        yield "a host of its SPEC is reached in clear text"
    if not card.capabilities.default_quote:
        yield "its SPEC does not say what is traded against"
    if not card.has_key_file and not any(option.is_secret for option in card.options):
        yield "its SPEC has neither a key file nor a secret option: nobody could sign in"
    for ability, sentence in card.capabilities.cannot.items():
        if not sentence.endswith(".") or len(sentence) < _LEAST_SENTENCE or card.label not in sentence:
            yield f"what it says of {ability} is no sentence that names {card.label}: {sentence!r}"


def _options(card: Spec, root: Path) -> Iterator[str]:
    """The table of settings has a row for each option, and no other row of this exchange."""
    page = _text(root / "docs/reference/settings.md")
    prefix = f"TRADEHOOK_{card.name.upper()}_"
    for option in card.options:
        default = f"`{option.default}`" if option.default else ""
        choices = ", ".join(f"`{choice}`" for choice in option.choices)
        row = f"| `{prefix}{option.name.upper()}` | {default} | {choices} | {option.says} |"
        if row not in page:
            yield f"docs/reference/settings.md has no such row: {row}"
    known = {"URL", "KEY_FILE", "KEY_ID", "KEY_PASSPHRASE", "PREFIX"} | {one.name.upper() for one in card.options}
    for other in sorted(set(re.findall(rf"^\| `{prefix}(\w+)`", page, re.MULTILINE)) - known):
        yield f"docs/reference/settings.md has a row of {prefix}{other}, which is no option"


def _class(name: str, card: Spec, root: Path) -> Iterator[str]:
    """Its class has the whole contract, and what it cannot do is said by its card."""
    folder = root / "client" / "tradehook" / "exchanges" / name
    opening = _tree(folder / "opening.py")
    written = {node.name for node in opening.body if isinstance(node, ast.FunctionDef)}
    yield from (f"exchanges/{name}/opening.py has no {one}" for one in OPENING if one not in written)
    members = [set(_members(node)) for node in _tree(folder / "__init__.py").body if isinstance(node, ast.ClassDef)]
    closest = max(members, key=lambda one: len(one & _wanted()), default=set())
    yield from (f"its class has no {one}, which every exchange has" for one in sorted(_wanted() - closest))
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node):
                yield f"exchanges/{name}/{path.name}, line {node.lineno}: not implemented, and no sentence says so"
            elif (ability := _refused(node)) and ability not in card.capabilities.cannot:
                yield f"exchanges/{name}/{path.name} refuses {ability}, but no sentence of its SPEC says so"


def _wanted() -> set[str]:
    (protocol,) = (
        node
        for node in _tree(Path(contract.__file__)).body
        if isinstance(node, ast.ClassDef) and node.name == "Exchange"
    )
    return set(_members(protocol))


def _members(node: ast.ClassDef) -> Iterator[str]:
    for part in ast.walk(node):
        match part:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield part.name
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                yield name
            case (
                ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)])
                | ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name))
            ):
                yield name


def _refused(node: ast.AST) -> str | None:
    """The ability that `self._cannot("ability")` refuses."""
    match node:
        case ast.Call(func=ast.Attribute(attr="_cannot"), args=[ast.Constant(value=str(ability))]):
            return ability
    return None


def _contract_test(root: Path) -> Iterator[str]:
    if "@pytest.fixture(params=EXCHANGES)" not in _text(root / "tests/client/exchanges/test_contract.py"):
        yield "tests/client/exchanges/test_contract.py is not run for every exchange"


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _tree(path: Path) -> ast.Module:
    return ast.parse(_text(path))


# --- the exchanges there are ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", registry.EXCHANGES)
def test_an_exchange_is_whole(name):
    assert lacks(name, registry.spec(name)) == []


def test_no_folder_is_left_out_of_the_registry():
    folders = {path.parent.name for path in (ROOT / "client/tradehook/exchanges").glob("*/__init__.py")}
    assert folders == {*registry.EXCHANGES}


def test_the_page_names_every_file_that_is_asked_for():
    page = PAGE.read_text()
    for path in (*FILES, *MENTIONS):
        assert f"`{path}`" in page, path
    for function in OPENING:
        assert f"`{function}`" in page


# --- the checker itself: it finds what a half exchange lacks ----------------------------------------------------------

WHOLE = registry.spec("fintrusted")


@pytest.fixture
def half(tmp_path):
    """A project with an exchange `acme` that was begun: a card, half a class, and nothing else."""
    folder = tmp_path / "client/tradehook/exchanges/acme"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "class Acme:\n"
        "    async def balances(self):\n        raise NotImplementedError\n"
        '    async def portfolio(self):\n        self._cannot("portfolio")\n'
    )
    (folder / "opening.py").write_text("def open_account(settings, line): ...\n")
    return tmp_path


def test_a_half_exchange_is_told_everything_that_it_lacks(half):
    card = Spec("acme", "Acme", {"live": "http://acme.example"}, (), 60, options=(Option("colour", "Which colour."),))
    found = lacks("acme", card, root=half)
    for part in (
        "hooks/acme.py is not there",
        "tradehook_sandbox/acme/exchange.py is not there",
        "docs/reference/acme.md is not there",
        "tests/client/exchanges/test_acme_*.py is not there",
        "cli/options.py does not name it",
        "docs/index.md does not name it",
        "no connection form of type acme",
        "does not list the hook of acme",
        "no sandbox among its hosts",
        "where real money moves",
        "in clear text",
        "what is traded against",
        "nobody could sign in",
        "no such row: | `TRADEHOOK_ACME_COLOUR` |",
        "opening.py has no describe_login",
        "its class has no cancel_order",
        "line 3: not implemented",
        "refuses portfolio, but no sentence",
        "not run for every exchange",
    ):
        assert [line for line in found if part in line], part
    assert not [line for line in found if "no open_account" in line or "has no balances" in line]
    assert "acme has no SPEC" in lacks("acme", None, root=half)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"name": "trusted"}, "calls it trusted"),
        ({"options": WHOLE.options[1:]}, "a row of TRADEHOOK_FINTRUSTED_TOKEN, which is no option"),
        ({"options": (*WHOLE.options, Option("colour", "Which colour."))}, "no such row"),
        ({"capabilities": Capabilities(default_quote="USDT")}, "refuses transfers, but no sentence"),
        ({"capabilities": replace(WHOLE.capabilities, cannot={"orders": "No."})}, "no sentence that names FinTrusted"),
        ({"live_domains": ()}, "where real money moves"),
    ],
)
def test_one_thing_that_is_missing_is_named(changed, says):
    assert [line for line in lacks("fintrusted", replace(WHOLE, **changed)) if says in line]


def test_a_form_of_another_hook_is_named():
    info = get_provider_info()
    for form in info["connection-types"]:
        form["hook-class-name"] = "tradehook_provider.hooks.true_markets.TrueMarketsHook"
    assert "not to its own hook" in " ".join(lacks("fintrusted", WHOLE, info=info))
