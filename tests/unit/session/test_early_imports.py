from __future__ import annotations

from types import ModuleType

import pytest

from pytest_vmpilot_cov.session.early_imports import early_imports


def loaded(**files: str) -> dict[str, ModuleType]:
    """Make modules, in the order in which their imports were done; ``_in_`` in a name parts it from its package."""
    made = {}
    for key, file in files.items():
        name = ".".join(reversed(key.split("_in_")))
        made[name] = ModuleType(name)
        made[name].__file__ = file
    return made


def said(modules: dict[str, ModuleType], *plugins: ModuleType) -> list[str]:
    """Return which files were imported early, and by whom, where all below /app are source."""
    texts = early_imports(modules, plugins, lambda path: path.startswith("/app/"), "/app")
    return [text.partition(": lines that ran")[0] for text in texts]


def test_nothing_early_is_nothing_to_say() -> None:
    """Modules that are no source are not named."""
    assert said(loaded(os="/usr/os.py", plugin="/site/plugin.py")) == []


@pytest.mark.parametrize("by_name", [True, False])
def test_an_importer_is_known_by_its_namespace(*, by_name: bool) -> None:
    """The first that has a module, or a function of it, in its namespace and was done after it has imported it."""
    modules = loaded(before="/b.py", shop="/app/shop.py", other="/o.py", plugin="/site/plugin.py", later="/l.py")
    exec("def buy(): pass", vars(modules["shop"]))
    for user in ("before", "plugin", "later"):
        vars(modules[user])["got"] = modules["shop"] if by_name else vars(modules["shop"])["buy"]
    assert said(modules) == ["shop.py was imported before measurement began, by plugin (/site/plugin.py)"]


def test_a_chain_leads_to_who_began_it() -> None:
    """What source modules import in turn is laid to the one outside that imported the first."""
    modules = loaded(__main__="/tools/run.py", cart_in_shop="/app/shop/cart.py", shop="/app/shop/__init__.py")
    vars(modules["__main__"])["shop"] = modules["shop"]
    vars(modules["shop"])["cart"] = modules["shop.cart"]
    assert said(modules) == [
        "shop/cart.py, shop/__init__.py were imported before measurement began, by __main__ (/tools/run.py)"
    ]


def test_a_package_is_not_taken_for_the_importer_of_its_modules() -> None:
    """A package has its modules in its namespace whoever imports them."""
    modules = loaded(cart_in_shop="/app/shop/cart.py", shop="/app/shop/__init__.py", plugin="/site/plugin.py")
    vars(modules["shop"])["cart"] = modules["shop.cart"]
    vars(modules["plugin"])["cart"] = modules["shop.cart"]
    assert said(modules)[0] == "shop/cart.py was imported before measurement began, by plugin (/site/plugin.py)"


def test_modules_named_through_their_package_have_its_importer() -> None:
    """``import shop.cart, shop.till`` in a script leaves only the package in its namespace: the script did it."""
    modules = loaded(
        __main__="/run.py",
        shop="/app/shop/__init__.py",
        cart_in_shop="/app/shop/cart.py",
        till_in_shop="/app/shop/till.py",
    )
    modules["__mp_main__"] = modules["__main__"]  # multiprocessing's second name of it
    vars(modules["__main__"])["shop"] = modules["shop"]
    files = "shop/__init__.py, shop/cart.py, shop/till.py"
    assert said(modules) == [f"{files} were imported before measurement began, by __main__ (/run.py)"]


def test_plugins_are_imported_by_pytest() -> None:
    """A source module that is itself a plugin was imported by pytest; of others it may not be known."""
    modules = loaded(shop="/app/shop.py", cart="/app/cart.py")
    assert said(modules, modules["shop"]) == [
        "shop.py was imported before measurement began, by pytest, as a plugin",
        "cart.py was imported before measurement began, by something that started before pytest",
    ]
