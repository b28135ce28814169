# SPDX-License-Identifier: Apache-2.0
# What the compiled module offers; C values are Any, and never leave the package.
from typing import Any

class _Lib:
    def __getattr__(self, name: str) -> Any: ...

lib: _Lib
ffi: Any
