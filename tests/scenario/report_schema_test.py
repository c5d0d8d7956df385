#!/usr/bin/env python3
"""Reports validate against the schema that is shipped, and damaged ones do not.

usage: report_schema_test.py SCHEMA SAMPLE_PROGRAM IOMMUSIM
"""
import copy
import json
import os
import subprocess
import sys
import tempfile
import unittest

try:
    import jsonschema
except ImportError:
    sys.exit("this test needs the Debian package python3-jsonschema")

SCHEMA_FILE, SAMPLE, IOMMUSIM = sys.argv[1:4]
del sys.argv[1:4]

with open(SCHEMA_FILE) as schema_file:
    SCHEMA = json.load(schema_file)
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def sample(kind):
    return json.loads(subprocess.run([SAMPLE, kind], check=True, capture_output=True, text=True).stdout)


class ReportSchema(unittest.TestCase):
    def assert_valid(self, report):
        self.assertEqual([error.message for error in VALIDATOR.iter_errors(report)], [])

    def test_the_schema_is_a_schema(self):
        jsonschema.Draft7Validator.check_schema(SCHEMA)

    def test_a_report_of_one_run_validates(self):
        self.assert_valid(sample("one"))

    def test_a_report_of_a_sweep_validates(self):
        self.assert_valid(sample("sweep"))

    def test_a_report_without_measurements_validates(self):
        self.assert_valid(sample("empty"))

    def test_the_report_of_a_real_run_validates(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "report.json")
            subprocess.run([IOMMUSIM, "run", "quickstart", "-q", "--set", "workload.operations=40", "--json", path],
                           check=True)
            with open(path) as file:
                self.assert_valid(json.load(file))

    def test_every_member_is_required(self):
        whole = sample("one")
        for member in whole:
            with self.subTest(member=member):
                damaged = copy.deepcopy(whole)
                del damaged[member]
                self.assertFalse(VALIDATOR.is_valid(damaged))

    def test_damaged_reports_do_not_validate(self):
        def damage(change):
            report = sample("one")
            change(report)
            return report

        changes = {
            "unknown member": lambda r: r.update(more=1),
            "future version": lambda r: r.update(schema=2),
            "time as text": lambda r: r.update(simulated_time_ps="5 us"),
            "negative time": lambda r: r.update(simulated_time_ps=-1),
            "unknown unit": lambda r: r["metrics"]["map.latency"].update(unit="furlong"),
            "distribution without a percentile": lambda r: r["metrics"]["map.latency"].pop("p99"),
            "expectation without an outcome": lambda r: r["expectations"][0].pop("held"),
            "published value of another role": lambda r: r["published"][0].update(role="guessed"),
            "parameter without a value": lambda r: r["parameters"]["platform.cpus"].pop("value"),
        }
        for name, change in changes.items():
            with self.subTest(name):
                self.assertFalse(VALIDATOR.is_valid(damage(change)))


if __name__ == "__main__":
    unittest.main()
