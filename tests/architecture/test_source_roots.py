"""platform/ is a source root that must not hide the standard library's `platform` (docs/adr/0002)."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = (ROOT, ROOT / "platform")


def test_the_standard_librarys_platform_wins_in_this_process():
    assert platform.python_version()
    assert "site-packages" not in (platform.__file__ or "")
    assert Path(platform.__file__).parent != ROOT


@pytest.mark.parametrize("launcher", [["-c", "import platform; platform.system()"], ["manage.py", "version"]])
def test_the_standard_librarys_platform_wins_in_a_fresh_interpreter(launcher):
    done = subprocess.run([sys.executable, *launcher], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_platform_is_no_package_and_holds_no_loose_module():
    assert not list((ROOT / "platform").glob("*.py"))


def test_no_package_of_ours_is_called_like_a_standard_module():
    ours = {
        child.name
        for root in SOURCE_ROOTS
        for child in root.iterdir()
        if child.is_dir() and (child / "__init__.py").exists()
    }

    assert not ours & set(sys.stdlib_module_names)
