# Each of `make demo`, `make test` and `make bench` is enough on a fresh Debian machine with Node (root or sudo).
.PHONY: demo test bench build packages clean

demo: build
	@bash scripts/install-packages.sh fonts-dejavu-core
	npm run --silent demo

test: build
	npm run --silent test:native
	npm test

bench: build
	bash scripts/install-packages.sh python3-pot python3-threadpoolctl
	npm run --silent bench

build: packages node_modules/.package-lock.json
	npm run --silent build:native
	$(MAKE) --no-print-directory dist/cjs/package.json

packages:
	@bash scripts/install-packages.sh g++ cmake ninja-build make libopenblas-dev libhwy-dev

node_modules/.package-lock.json: package-lock.json package.json
	npm ci --no-audit --no-fund
	touch $@

dist/cjs/package.json: $(shell find lib -type f) $(wildcard tsconfig*.json) scripts/build-ts.mjs
	npm run --silent build:ts

clean:
	rm -rf build dist prebuilds out
