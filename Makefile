# Every target sets up what it needs in .venv; nothing has to be installed by hand beyond Python and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Bytecode is left to Python, which writes that of a module when it is first imported: of most modules of torch,
# transformers and the like it is not needed, and compiling all takes as long as the rest of the installation.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
INSTALL := $(PIP) --constraint constraints.txt --editable

# A machine that forbids it would compile torch and transformers anew in every process that a test starts: twice the time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install demo test quick quick-tests lint docs links fuzz kill newest oldest clean

install: $(VENV)/installed

# The main job on the model and the faces that ship: three strategies, the model without its adapters, a page that shows
# every sample, a leaderboard.
demo: $(VENV)/installed
	$(BIN)/python examples/demo.py

# Files in the order of tests/conftest.py, the long ones first: xdist would begin with those of many tests.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test: $(VENV)/ready lint
	$(PYTEST)

# What to run while one works: everything that needs no browser, no process of its own and no patience. Side by side:
# mypy takes most of a minute where it has no cache yet.
quick: $(VENV)/ready
	$(MAKE) -j 2 lint quick-tests

quick-tests: $(VENV)/ready
	$(PYTEST) -q -m "not browser and not process and not slow"

# Hostile files, options, replies and messages: `make fuzz SEED=7 INPUTS=5000`. An input that fails is shown as small as
# it gets.
SEED ?= 0
INPUTS ?= 5000

fuzz: $(VENV)/ready
	FUZZ_SEED=$(SEED) FUZZ_INPUTS=$(INPUTS) $(PYTEST) -q --override-ini timeout=7200 tests/fuzz

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# The documentation as a site, in site/: `make links` also follows the links that leave it.
SITE := $(BIN)/python -m sphinx --quiet --fail-on-warning --conf-dir docs/site

docs: $(VENV)/ready
	$(SITE) --builder html . site
	@echo "the documentation: site/index.html"

links: $(VENV)/ready
	$(SITE) --builder linkcheck . site/links

# Sixty SIGKILLs at random moments, each followed by the same command: the results are those of an undisturbed run.
KILLS ?= 60
SEED ?= 0
kill: $(VENV)/ready
	$(BIN)/python tests/kill/suite.py --kills $(KILLS) --seed $(SEED)

# PyPI's torch for Linux brings CUDA along, four fifths of all that is installed: without a driver of NVIDIA, PyTorch's own
# wheels for the CPU are taken, and PyPI's where these cannot be reached.
CPU_WHEELS := https://download.pytorch.org/whl/cpu
TORCH := $(shell sed -n 's/.*"\(torch==[^"]*\)".*/\1/p' pyproject.toml)

$(VENV)/installed: pyproject.toml constraints.txt
	@echo "setting up $(VENV): once; a minute, and what it takes to fetch 400 MB"
	$(PYTHON) -m venv $(VENV)
	@if [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null; then \
	  echo "no NVIDIA driver here: installing torch for the CPU, from $(CPU_WHEELS)"; \
	  $(PIP) --retries 1 --timeout 15 --index-url $(CPU_WHEELS) '$(TORCH)' \
	    || echo "that cannot be reached: the torch of PyPI is taken, with CUDA, 5 GB more"; \
	fi
	@echo "installing coabench and what it needs: 60 packages"
	$(INSTALL) '.[tested]'
	touch $@

$(VENV)/ready: $(VENV)/installed
	$(INSTALL) '.[dev,docs,serve,synthface,tested]'
	touch $@

# Every job on the newest releases of all dependencies, and on the oldest that pyproject.toml admits; torch as pinned, for
# its size. Each in an environment of its own: it is the installing that is tried, too.
JOBS := -m pytest --noconftest --override-ini timeout=900 tests/releases.py

newest:
	$(PYTHON) -m venv --clear $(VENV)-newest
	$(VENV)-newest/bin/python -m pip install --quiet --disable-pip-version-check '$(TORCH)' '.[serve]' pytest pytest-timeout
	$(VENV)-newest/bin/python -m pip list --disable-pip-version-check
	OMP_NUM_THREADS=1 $(VENV)-newest/bin/python $(JOBS)

oldest:
	$(PYTHON) -m venv --clear $(VENV)-oldest
	$(VENV)-oldest/bin/python -m pip install --quiet --disable-pip-version-check packaging
	$(VENV)-oldest/bin/python tests/support/floors.py > $(VENV)-oldest/floors.txt
	$(VENV)-oldest/bin/python -m pip install --quiet --disable-pip-version-check --constraint $(VENV)-oldest/floors.txt \
	  '$(TORCH)' '.[serve]' pytest pytest-timeout
	$(VENV)-oldest/bin/python -m pip list --disable-pip-version-check
	OMP_NUM_THREADS=1 $(VENV)-oldest/bin/python $(JOBS)

clean:
	rm -rf $(VENV) $(VENV)-newest $(VENV)-oldest dist build site .mypy_cache .pytest_cache .ruff_cache
