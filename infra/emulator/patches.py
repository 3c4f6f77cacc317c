"""What this project changes in the emulator while it runs: one addition, and shortcuts that give the same results.

Each change replaces something by its name. A name that is gone, or that means something else by now, ends the start with
a sentence: an emulator that silently runs without its changes would fail tests in ways that nobody understands.
"""

import copy
import functools
import inspect
import marshal
import types

# Results that are kept of each function. The store writes about a hundred different expressions.
KNOWN_EXPRESSIONS = 4096


class Gone(Exception):
    """The emulator is not the one that these changes were written for."""


def apply():
    from ministack.services import _dynamodb_keywords, apigateway_v1, dynamodb, stepfunctions

    read_gateway_responses(apigateway_v1)
    keep_results(dynamodb, "_tokenize", ["expr"])
    keep_results(dynamodb, "_condition_syntax_error", ["expr", "slot"])
    keep_results(_dynamodb_keywords, "_tokenize", ["text"])
    copy_quickly(dynamodb)
    copy_quickly(stepfunctions)


def named(module, name, parameters):
    """The function that is to be replaced, if it is still what it was."""
    found = getattr(module, name, None)
    if not inspect.isfunction(found):
        raise Gone(f"{module.__name__} has no function {name} any more: adapt infra/emulator/patches.py to this release")
    taken = list(inspect.signature(found).parameters)
    if taken != parameters:
        raise Gone(
            f"{module.__name__}.{name} takes {taken} and not {parameters}: adapt infra/emulator/patches.py to this release"
        )
    return found


def read_gateway_responses(gateway):
    """Reads from an API's definition what the service reads there as well: the responses of its gateway."""
    read = named(gateway, "_import_rest_api", ["spec", "base_data"])
    put = named(gateway, "_put_gateway_response", ["api_id", "response_type", "data"])

    def read_all(spec, *rest):
        api = read(spec, *rest)
        for kind, response in (spec.get("x-amazon-apigateway-gateway-responses") or {}).items():
            status, _, problem = put(api, kind, response)
            if status >= 400:
                raise ValueError(f"the gateway response {kind}: {problem!r}")
        return api

    gateway._import_rest_api = read_all


def keep_results(module, name, parameters):
    """Has a function of texts work once for each expression."""
    kept = functools.lru_cache(maxsize=KNOWN_EXPRESSIONS)(named(module, name, parameters))

    def replacement(*arguments):
        result = kept(*arguments)
        # A list of its own for each caller, who may change it. What is in it are tuples.
        return list(result) if type(result) is list else result

    setattr(module, name, replacement)


def copy_quickly(module):
    """Has a module copy plain data, which is all that its items and messages are, in one step."""
    if getattr(module, "copy", None) is not copy:
        raise Gone(f"{module.__name__} does not import copy any more: adapt infra/emulator/patches.py to this release")
    module.copy = types.SimpleNamespace(copy=copy.copy, deepcopy=deepcopy)


def deepcopy(value):
    """Equals copy.deepcopy, and shares what that shares. It takes an eighth of the time where all is plain data."""
    try:
        return marshal.loads(marshal.dumps(value))
    except ValueError:
        # Something that is not plain, such as a defaultdict.
        return copy.deepcopy(value)
