# Everything on a bare machine with Python 3.11+ and make: `make train`, `make test`.
PYTHON ?= python3
EXTRAS ?=
SLOW ?=
VENV := .venv
BIN := $(VENV)/bin
PARITY := $(if $(filter parity,$(EXTRAS)),--constraint requirements-parity.lock)
STAMP := $(VENV)/.installed$(if $(EXTRAS),-$(EXTRAS))

.PHONY: install train test lock clean

install: $(STAMP)  ## create .venv and install what requirements.lock pins; EXTRAS=cuda12 adds an extra

$(STAMP): requirements.lock requirements-parity.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "gan_jax needs Python 3.11 or later; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	$(if $(EXTRAS),$(BIN)/python -m pip install --quiet --constraint requirements.lock $(PARITY) --no-build-isolation \
		--editable '.[$(EXTRAS)]')
	@touch $(STAMP)

train: install  ## the embedded default: a DCGAN on procedural shapes, no download, about two minutes
	$(BIN)/gan-jax train --config dcgan_shapes --workdir runs/dcgan_shapes

# SLOW=1 runs also what waits or repeats; EXTRAS=parity also compares with the reference tools (PyTorch: 5 GB).
test: install  ## lint, types and tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses=2 --dist=worksteal $(if $(SLOW),,-m "not slow")

lock:  ## renew requirements.lock (needs uv)
	uv pip compile --universal --python-version 3.11 --extra dev --no-emit-index-url --no-annotate --no-header \
		--quiet --upgrade --output-file requirements.lock pyproject.toml
	uv pip compile --universal --python-version 3.11 --extra parity --constraint requirements.lock --no-emit-index-url \
		--no-annotate --no-header --quiet --upgrade --output-file requirements-parity.lock pyproject.toml

clean:
	rm -rf $(VENV) build *.egg-info
