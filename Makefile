# Everything on a bare machine with Python 3.11+ and make: `make train`, `make test`.
PYTHON ?= python3
EXTRAS ?=
SLOW ?=
VENV := .venv
BIN := $(VENV)/bin
# Extras whose versions requirements-extras.lock pins: those that tests import. EXTRAS=parity,docs takes several.
PINNED := parity docs browser package levels video accelerators
COMMA := ,
NAMED := $(subst $(COMMA), ,$(EXTRAS))
EXTRAS_LOCK := $(if $(filter $(PINNED),$(NAMED)),--constraint requirements-extras.lock)
# Compilers lie apart, where only train --dry_run --target looks: with libtpu in sight JAX takes any machine for a TPU VM.
APART := $(filter accelerators,$(NAMED))
BESIDE := $(filter-out $(APART),$(NAMED))
COMPILERS := ^(jax-cuda12-p|libtpu=|nvidia-cuda-nvcc-cu12=)
STAMP := $(VENV)/.installed$(if $(EXTRAS),-$(EXTRAS))

UPGRADE ?= --upgrade
LOCK_FLAGS := --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header --quiet $(UPGRADE)

.PHONY: install train test docs lock clean

install: $(STAMP)  ## create .venv and install what requirements.lock pins; EXTRAS=cuda12,video adds extras

$(STAMP): requirements.lock requirements-extras.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "gan_jax needs Python 3.11 or later; set PYTHON=/path/to/python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	$(if $(BESIDE),$(BIN)/python -m pip install --quiet --constraint requirements.lock $(EXTRAS_LOCK) --no-build-isolation \
		--editable '.[$(subst $() ,$(COMMA),$(BESIDE))]')
	$(if $(APART),grep -E '$(COMPILERS)' requirements-extras.lock | $(BIN)/python -m pip install --quiet --no-deps --upgrade \
		--target $(VENV)/accelerators --requirement /dev/stdin)
	@touch $(STAMP)

train: install  ## the embedded default: a DCGAN on procedural shapes, no download, about two minutes
	$(BIN)/gan-jax train --config dcgan_shapes --workdir runs/dcgan_shapes

# SLOW=1 runs also what waits or repeats; EXTRAS=parity also compares with the reference tools (PyTorch: 5 GB),
# docs builds the documentation and runs the notebook, browser clicks in Chromium, package checks wheel and sdist.
test: install  ## lint, types and tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses=2 --dist=worksteal $(if $(SLOW),,-m "not slow")

docs:  ## the documentation as a site, in site/
	$(MAKE) install EXTRAS=docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

lock:  ## renew both locks (needs uv: pip install uv); UPGRADE= keeps every version that still fits
	uv pip compile $(LOCK_FLAGS) --extra dev --output-file requirements.lock pyproject.toml
	uv pip compile $(LOCK_FLAGS) $(PINNED:%=--extra %) --constraint requirements.lock \
		--output-file requirements-extras.lock pyproject.toml

clean:
	rm -rf $(VENV) build site *.egg-info
