"""The notebook: small enough for a page, run from the first cell to the last, and it still runs."""

import json
import re

import pytest

from tests.runs import ROOT

PATH = ROOT / "examples" / "quick_start.ipynb"
NOTEBOOK = json.loads(PATH.read_text())
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
TEXT = "".join("".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "markdown")


def test_what_a_reader_sees():
    assert PATH.stat().st_size < 300_000
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    outputs = [output for cell in CODE for output in cell["outputs"]]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 4
    assert not [output for output in outputs if output.get("name") == "stderr" or "traceback" in output]
    links = re.findall(r"\]\(([^)#]+)", TEXT)
    assert links
    assert all((PATH.parent / link).exists() for link in links)


@pytest.mark.slow
def test_it_runs(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="the notebook's tools are in gan-jax[docs]")
    nbclient = pytest.importorskip("nbclient", reason="the notebook's tools are in gan-jax[docs]")
    pytest.importorskip("ipykernel", reason="the notebook's tools are in gan-jax[docs]")
    notebook = nbformat.read(PATH, as_version=4)
    nbformat.validate(notebook)
    [parameters] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", ())]
    parameters.source, count = re.subn(r"num_steps = [\d_]+", "num_steps = 30", parameters.source)
    assert count == 1
    for name, value in {
        "PYTHONPATH": str(ROOT),
        "TFDS_DATA_DIR": str(tmp_path / "data"),
        "TMPDIR": str(tmp_path),
        "XLA_FLAGS": "",  # one device, as a reader has
    }.items():
        monkeypatch.setenv(name, value)
    nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert "step    30: generator" in str(notebook.cells)
