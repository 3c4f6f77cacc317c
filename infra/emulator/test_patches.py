"""Whether the emulator with its shortcuts gives the same results as without them, on values and requests from a seed."""

import copy
import importlib.util
import json
import logging
import random
import types
import unittest
from collections import defaultdict
from decimal import Decimal

import patches
from ministack.services import _dynamodb_keywords, dynamodb

SEED = 20260101


def as_it_was():
    """The emulator's tables once more, as modules of their own without any change."""
    keywords, module = loaded(_dynamodb_keywords), loaded(dynamodb)
    module.parse_partiql_statement = keywords.parse_statement
    module.PartiqlError = keywords.PartiqlError
    return module, keywords


def loaded(module):
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_as_it_was", module.__file__)
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    return again


def value(chance, depth=0, wire=False):
    """A value of an item: what JSON knows, and bytes where it does not go over the wire."""
    kinds = ["S", "N", "B", "BOOL", "NULL", "SS", "NS"] + (["M", "L", "M", "L"] if depth < 4 else [])
    kind = chance.choice(kinds)
    word = lambda: "".join(chance.choice("abcü中 \u0000'\"") for _ in range(chance.randrange(6)))
    number = lambda: str(chance.choice([0, 7, -3, "1.50", "99999999999999999999", "1e-7"]))
    some = chance.randrange(4)
    content = {
        "S": word,
        "N": number,
        "B": lambda: chance.choice(["", "AAE=", b"\x00\xff"][: 2 if wire else 3]),
        "BOOL": lambda: chance.random() < 0.5,
        "NULL": lambda: True,
        "SS": lambda: [f"{word()}{at}" for at in range(some + 1)],
        "NS": lambda: [str(at) for at in range(some + 1)],
        "M": lambda: {f"{word()}{at}": value(chance, depth + 1, wire) for at in range(some)},
        "L": lambda: [value(chance, depth + 1, wire) for _ in range(some)],
    }
    return {kind: content[kind]()}


def containers(of):
    """The identities of all that can be changed in a value, each as often as it stands there."""
    inner = of.values() if isinstance(of, dict) else of if isinstance(of, list) else []
    own = [id(of)] if isinstance(of, (dict, list)) else []
    return own + [one for part in inner for one in containers(part)]


def shape(of):
    """Which containers of a value are the same one."""
    found = containers(of)
    return [found.index(one) for one in found]


def typed(of):
    """A value with the type of each part: True equals 1 otherwise."""
    if isinstance(of, dict):
        return (type(of), [(typed(key), typed(part)) for key, part in of.items()])
    if isinstance(of, (list, tuple)):
        return (type(of), [typed(part) for part in of])
    return (type(of), of)


class Copies(unittest.TestCase):
    def same(self, of):
        ours, theirs = patches.deepcopy(of), copy.deepcopy(of)
        self.assertEqual(typed(ours), typed(theirs))
        self.assertEqual(shape(ours), shape(theirs))
        self.assertFalse(set(containers(ours)) & set(containers(of)), "a part is not copied")

    def test_copies_of_items_equal_those_of_deepcopy(self):
        chance = random.Random(SEED)
        for _ in range(2_000):
            self.same({f"a{at}": value(chance) for at in range(chance.randrange(8))})

    def test_parts_that_are_the_same_stay_the_same(self):
        part = {"M": {"a": {"S": "b"}}}
        self.same({"one": part, "other": part, "more": {"L": [part, part]}})

    def test_numbers_and_what_is_not_plain_data_are_copied_too(self):
        odd = defaultdict(dict, {"key": {"a": {"N": "1"}}})
        for of in [None, 1, 1.5, float("inf"), "text", b"bytes", [], {}, (1, [2]), Decimal("1.50"), {"deep": odd}, odd]:
            self.same(of)
        deep = []
        for _ in range(500):
            deep = [deep]
        self.same(deep)


class Expressions(unittest.TestCase):
    def same(self, ours, theirs, *arguments):
        for _ in range(2):
            try:
                expected = theirs(*arguments)
            except Exception as error:
                with self.assertRaises(Exception) as raised:
                    ours(*arguments)
                self.assertEqual(str(raised.exception), str(error))
                continue
            result = ours(*arguments)
            self.assertEqual(typed(result), typed(expected))
            if isinstance(result, list):
                # Whoever changes them changes a list of their own.
                result.clear()

    def test_tokens_and_errors_equal_those_of_the_emulator(self):
        (was, keywords), chance = as_it_was(), random.Random(SEED)
        parts = "SET REMOVE ADD a #n :v = <> <= ( ) [ 0 ] , . + - AND OR NOT IN BETWEEN size attribute_exists ü ! \t".split(" ")
        for _ in range(5_000):
            expr = " ".join(chance.choice(parts) for _ in range(chance.randrange(12)))
            self.same(dynamodb._tokenize, was._tokenize, expr)
            for slot in ("ConditionExpression", "FilterExpression"):
                self.same(dynamodb._condition_syntax_error, was._condition_syntax_error, expr, slot)
            self.same(_dynamodb_keywords._tokenize, keywords._tokenize, expr)


class Requests(unittest.TestCase):
    """The same requests to both, one after the other: responses and tables are the same after each."""

    def setUp(self):
        self.both = [dynamodb, as_it_was()[0]]
        table = {
            "TableName": "things", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "at", "by")],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by-by", "Projection": {"ProjectionType": "ALL"},
                "KeySchema": [{"AttributeName": "by", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
            }],
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        }
        for module in self.both:
            module.reset()
            self.assertEqual(module._create_table(copy.deepcopy(table))[0], 200)

    def tearDown(self):
        dynamodb.reset()

    def test_responses_tables_and_streams_are_the_same_after_each_request(self):
        chance = random.Random(SEED)
        done = defaultdict(int)
        for _ in range(4_000):
            operation, data = request(chance)
            # As it comes over the wire: no part of one request is a part of another.
            wire = json.dumps(data)
            responses = [getattr(module, operation)(json.loads(wire)) for module in self.both]
            (status, _, ours), (_, _, theirs) = responses
            self.assertEqual(responses[0][0], responses[1][0], data)
            self.assertEqual(json.loads(ours), json.loads(theirs), data)
            done[operation, status] += 1
            tables = [module._tables.get("things") for module in self.both]
            self.assertEqual(typed(dict(tables[0]["items"])), typed(dict(tables[1]["items"])), data)
        streams = [[record_of(record) for record in module._stream_records["things"]] for module in self.both]
        self.assertGreater(len(streams[0]), 500)
        self.assertEqual(*streams)
        for operation in ("_put_item", "_update_item", "_delete_item", "_transact_write_items", "_query", "_execute_statement"):
            for status in (200, 400):
                self.assertGreater(done[operation, status], 20, f"{operation}: {dict(done)}")


def record_of(record):
    """What a stream says, without the time and the numbers that it draws."""
    drawn = {"ApproximateCreationDateTime", "SequenceNumber"}
    return record["eventName"], {key: part for key, part in record["dynamodb"].items() if key not in drawn}


CONDITIONS = [
    "attribute_not_exists(id)", "attribute_exists(id) AND #n >= :n", "#n = :n OR NOT #m.#n = :n", "size(#l) > :n",
    "#n BETWEEN :n AND :n", "begins_with(#s, :s)", "contains(#l, :s)", "#n IN (:n, :n)", "((#n = :n))", "#n = ", "status = :n",
]

UPDATES = [
    "SET #n = :n, #s = :s", "SET #n = if_not_exists(#n, :n) + :n", "SET #l = list_append(if_not_exists(#l, :l), :l)",
    "SET #m = :m, #s = :s", "SET #m.#n = :n", "SET #m.#m = :m, #n = #m", "SET #l[0] = :m REMOVE #s", "ADD #n :n",
    "ADD #t :t", "DELETE #t :t", "REMOVE #m.#n, #l[0]", "SET #n = #s", "SET id = :s", "nothing", "SET #n = :n, #m = :m, #l = :l",
]


# With the names of their parameters.
STATEMENTS = [
    "UPDATE things SET n = n + ? WHERE id = ? AND at = ? --n i a",
    "UPDATE things SET n = ?, m = ? WHERE id = ? AND at = ? AND attribute_exists(id) RETURNING ALL OLD * --n m i a",
    "UPDATE things REMOVE m WHERE id = ? AND at = ? AND n >= ? --i a n",
    "INSERT INTO things VALUE {'id': ?, 'at': ?, 'n': ?} --i a n",
    "DELETE FROM things WHERE id = ? AND at = ? --i a",
    "SELECT * FROM things WHERE id = ? AND n IN [?, ?] --i n n",
    "SELECT * FROM --",
]


def request(chance):
    key = {"id": {"S": f"k{chance.randrange(6)}"}, "at": {"S": f"{chance.randrange(4)}"}}
    item = {**key, "by": {"S": f"b{chance.randrange(3)}"}, "n": {"N": str(chance.randrange(5))}}
    item |= {"m": {"M": {"n": {"N": "1"}}}, "l": {"L": [{"S": "x"}]}} if chance.random() < 0.6 else {"s": value(chance, wire=True)}
    kind = chance.choice(
        ["_put_item", "_update_item", "_update_item", "_delete_item", "_transact_write_items", "_query", "_execute_statement"]
    )
    if kind == "_execute_statement":
        statement = chance.choice(STATEMENTS)
        values = {"i": key["id"], "a": key["at"], "n": {"N": str(chance.randrange(5))}, "m": value(chance, wire=True)}
        parameters = [values[name] for name in statement.split("--")[1].split()]
        return kind, {"Statement": statement.split("--")[0], "Parameters": parameters}
    if kind == "_query":
        query = {
            "TableName": "things", "KeyConditionExpression": chance.choice(["id = :s", "id = :s AND #a >= :o", "id >= :s"]),
            "ExpressionAttributeValues": {":s": key["id"], ":o": key["at"]}, "ExpressionAttributeNames": {"#a": "at"},
        }
        if ":o" not in query["KeyConditionExpression"]:
            del query["ExpressionAttributeValues"][":o"], query["ExpressionAttributeNames"]
        return kind, query
    if kind == "_transact_write_items":
        actions = [write(chance, key | {"at": {"S": f"{at}"}}, item) for at in range(chance.randrange(1, 4))]
        names = {"_put_item": "Put", "_update_item": "Update", "_delete_item": "Delete"}
        return kind, {"TransactItems": [{names[one]: data} for one, data in actions]}
    kind, data = write(chance, key, item, kind)
    data["ReturnValues"] = chance.choice(["NONE", "ALL_OLD"] + (["ALL_NEW"] if kind == "_update_item" else []))
    return kind, data


def write(chance, key, item, kind=None):
    kind = kind or chance.choice(["_put_item", "_update_item", "_delete_item"])
    data = {"TableName": "things", **({"Item": {**item, **key}} if kind == "_put_item" else {"Key": key})}
    if chance.random() < 0.5:
        data["ConditionExpression"] = chance.choice(CONDITIONS)
    if kind == "_update_item":
        data["UpdateExpression"] = chance.choice(UPDATES)
    text = data.get("ConditionExpression", "") + " " + data.get("UpdateExpression", "")
    names = {"#n": "n", "#m": "m", "#l": "l", "#s": "s", "#t": "t"}
    values = {
        ":n": {"N": str(chance.randrange(5))}, ":s": {"S": "x"}, ":m": {"M": {"n": {"N": "2"}, "m": {"M": {}}}},
        ":l": {"L": [value(chance, wire=True)]}, ":t": {"SS": ["a", f"{chance.randrange(3)}"]},
    }
    if used := {name: to for name, to in names.items() if name in text}:
        data["ExpressionAttributeNames"] = used
    if used := {name: to for name, to in values.items() if name in text}:
        data["ExpressionAttributeValues"] = used
    return kind, data


class Missing(unittest.TestCase):
    """A release of the emulator that has other names is refused with a sentence."""

    def test_a_function_that_is_gone_is_named(self):
        with self.assertRaisesRegex(patches.Gone, "has no function _tokenize any more: adapt infra/emulator/patches.py"):
            patches.keep_results(types.ModuleType("another"), "_tokenize", ["expr"])

    def test_a_function_that_takes_something_else_is_named(self):
        module = types.ModuleType("another")
        module._tokenize = lambda expr, slot: []
        with self.assertRaisesRegex(patches.Gone, r"another._tokenize takes \['expr', 'slot'\] and not \['expr'\]"):
            patches.keep_results(module, "_tokenize", ["expr"])

    def test_a_module_that_copies_otherwise_is_named(self):
        with self.assertRaisesRegex(patches.Gone, "another does not import copy any more"):
            patches.copy_quickly(types.ModuleType("another"))


if __name__ == "__main__":
    logging.disable()
    patches.apply()
    unittest.main()
