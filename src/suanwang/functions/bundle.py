"""The program that a function travels with, as one file: `site/` and cloudpickle, for `python runner.pyz` on the site."""

import functools
import io
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

import cloudpickle

from suanwang.functions import site

_MAIN: Final = "from suanwang_site.gate import main\n\nmain()\n"
_DATE: Final = (1980, 1, 1, 0, 0, 0)  # the same files are the same bytes: the object is uploaded once


@functools.cache
def runner() -> bytes:
    """The zip archive. It depends on the versions of Suanwang and cloudpickle here, and on nothing else."""
    files = {"__main__.py": _MAIN}
    for package, name in ((site, "suanwang_site"), (cloudpickle, "cloudpickle")):
        assert package.__file__ is not None, "both are packages with files"
        for path in sorted(Path(package.__file__).parent.glob("*.py")):
            files[f"{name}/{path.name}"] = path.read_text("utf-8")
    files["cloudpickle/LICENSE"] = _licence()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, _DATE), text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _licence() -> str:
    """cloudpickle is BSD: its licence goes where it goes."""
    found = [one for one in distribution("cloudpickle").files or () if one.name.upper().startswith("LICENSE")]
    return found[0].read_text() if found else "BSD-3-Clause; https://github.com/cloudpipe/cloudpickle\n"
