# SPDX-License-Identifier: Apache-2.0
"""The part of the build that pyproject.toml cannot say: the extension that cffi compiles."""
from setuptools import setup

setup(cffi_modules=["build_ffi.py:ffi"])
