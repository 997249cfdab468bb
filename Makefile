# make demo    play the tour on pretended hosts: sets up what it needs, and takes less than a minute
# make test    check everything; make -j2 test is quicker
# make help    tells the other targets

# The first of Python 3.13, 3.12, 3.11 that works here; make PYTHON=... takes another one.
PYTHON ?= $(shell tools/newest-python)
VENV := .venv
LOCK := requirements-dev.txt
TREE := .ansible/tree/ansible_collections/hyperlab
MATRIX := .ansible/matrix

# A developer's settings, ~/.ansible and perhaps an installed copy of this collection have no say here.
export ANSIBLE_HOME := $(CURDIR)/.ansible/home
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
unexport ANSIBLE_COLLECTIONS_PATH ANSIBLE_CONFIG PYTHONHOME PYTHONPATH VIRTUAL_ENV

# $(call install,ARGUMENTS): uv is five times as quick; pip has its say where only pip knows the way to an index
install = uv pip install -q --compile-bytecode -p $(VENV)/bin/python $(1) 2>/dev/null || python -m pip install -qq $(1)

.DELETE_ON_ERROR:
.PHONY: help demo test units older wire matrix lint sanity integration molecule build payloads benchmark lock clean
.DEFAULT_GOAL := help

help: ## tell the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

demo: $(VENV)/demo.stamp ## play the tour on pretended hosts
	@python tools/demo.py

test: units older lint sanity integration molecule build ## check everything (make -j2 test is quicker)

units: $(VENV)/stamp ## unit tests and cases, on the newest ansible-core
	python -m pytest -q -n auto --dist worksteal

older: MORE := --older
older: $(MATRIX)/2.16.run $(MATRIX)/2.19.run ## those that depend on ansible-core on older ones

wire: $(VENV)/stamp ## all cases over winrm, psrp and ssh, and not a tenth of them
	python -m pytest -q -n auto --dist worksteal --wire tests/wire

matrix: MORE := --wire
matrix: wire $(MATRIX)/2.16.run $(MATRIX)/2.19.run $(MATRIX)/2.20.run ## all cases over every wire, and the tests, on every ansible-core

lint: $(VENV)/stamp ## YAML, playbooks, documentation, changelog, Python style and types
	yamllint --strict .
	ruff check -q --output-format concise .
	ruff format -q --check .
	mypy -p ansible_collections.hyperlab.nested.plugins -p ansible_collections.hyperlab.nested.tests -p ansible_collections.hyperlab.nested.tools
	antsibull-changelog lint
	antsibull-docs lint-collection-docs --plugin-docs --validate-collection-refs all --check-extra-docs-refs .
	ansible-lint -q

sanity: $(VENV)/stamp ## ansible-test sanity
	python tools/sanity_tree.py sanity

integration: $(VENV)/stamp ## the integration targets on pretended hosts
	python tools/sanity_tree.py windows-integration

molecule: $(VENV)/stamp ## the role on pretended hosts
	molecule test

build: $(VENV)/demo.stamp ## make the tarball, install it elsewhere and play from it
	ansible-galaxy collection build --force --output-path build >/dev/null
	python tools/try_tarball.py build/hyperlab-nested-*.tar.gz

payloads: $(VENV)/stamp ## write all that the cases send to build/payloads.jsonl
	mkdir -p build
	python -m pytest -q tests/cases --payloads build/payloads.jsonl

benchmark: $(VENV)/stamp ## measure
	python tests/benchmark/run.py
	python tests/benchmark/wire.py

lock: $(VENV)/stamp ## take newer versions of the tools
	uv pip compile -q --universal --upgrade --python-version 3.11 --group dev --no-annotate --no-header -o $(LOCK)

clean: ## remove everything that was made here
	rm -rf $(VENV) .ansible build

# ---- environments

# ansible-core, and a link that makes this checkout the installed collection hyperlab.nested
$(VENV)/demo.stamp: $(LOCK) tools/newest-python
	@rm -rf $(VENV); python="$(PYTHON)"; test -n "$$python" && "$$python" -m venv $(VENV)
	@python -m pip install -qq --disable-pip-version-check -c $(LOCK) uv
	@$(call install,-c $(LOCK) ansible-core)
	@place=$$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ansible_collections/hyperlab && \
	  mkdir -p "$$place" && ln -s "$(CURDIR)" "$$place/nested"
	@touch $@

# all the rest
$(VENV)/stamp: $(VENV)/demo.stamp | $(TREE)/nested/galaxy.yml
	@$(call install,-r $(LOCK))
	@touch $@

# what mypy and tests/conftest.py import from, whatever the environment
$(TREE)/nested/galaxy.yml:
	@mkdir -p $(TREE) && ln -sfn ../../../.. $(TREE)/nested

# The oldest ansible-core that is supported, on the oldest Python, and those between it and the newest. Where none of these Pythons is at hand, only CI insists.
$(MATRIX)/2.16.run: PYTHONS := 3.11 3.12
$(MATRIX)/2.19.run: PYTHONS := 3.12 3.13 3.11
$(MATRIX)/2.20.run: PYTHONS := 3.13 3.12
.PHONY: $(MATRIX)/2.16.run $(MATRIX)/2.19.run $(MATRIX)/2.20.run
$(MATRIX)/2.16.run $(MATRIX)/2.19.run $(MATRIX)/2.20.run: $(MATRIX)/%.run: $(VENV)/stamp
	@python=$$(tools/newest-python $(PYTHONS)) || { echo "matrix: ansible-core $* was not tested"; test -z "$$CI"; exit; }; \
	  new="$$python $$(cat $(LOCK))"; \
	  if [ "$$(cat $(MATRIX)/$*/made-of 2>/dev/null)" != "$$new" ]; then \
	    rm -rf $(MATRIX)/$* && uv venv -q -p "$$python" $(MATRIX)/$* && \
	    grep -vE '^(ansible-core|resolvelib)=' $(LOCK) > $(MATRIX)/$*/constraints.txt && \
	    uv pip install -q --compile-bytecode -p $(MATRIX)/$*/bin/python -c $(MATRIX)/$*/constraints.txt --group test 'ansible-core~=$*.0' && \
	    printf '%s\n' "$$new" > $(MATRIX)/$*/made-of || exit; \
	  fi; \
	  echo "matrix: ansible-core $* on $$($(MATRIX)/$*/bin/python -V)"; \
	  $(MATRIX)/$*/bin/python -m pytest -q -n auto --dist worksteal $(MORE) -o cache_dir=$(MATRIX)/$*/cache
