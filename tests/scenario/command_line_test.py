#!/usr/bin/env python3
"""The program as its users see it: exit status, what goes where, files that cannot be read.

usage: command_line_test.py IOMMUSIM
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

IOMMUSIM = sys.argv.pop(1)

SMALL = """[[device]]
name = "nic0"

[[workload]]
kind = "map-benchmark"
operations = 20
"""


class CommandLine(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return self.path(name)

    def run_program(self, *arguments, status=0):
        done = subprocess.run([IOMMUSIM, *arguments], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def assert_refused(self, *arguments, says):
        done = self.run_program(*arguments, status=2)
        self.assertEqual(done.stdout, "")
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, done.stderr)

    # ---- scenarios that cannot be read

    def test_a_missing_file_is_a_scenario_error(self):
        path = self.path("nowhere.toml")
        for command in ("run", "check"):
            self.assert_refused(command, path, says=f"{path}: error: cannot be read: No such file")

    def test_a_folder_is_a_scenario_error(self):
        self.assert_refused("run", self.folder, says="cannot be read: it is a folder")

    @unittest.skipIf(os.geteuid() == 0, "a superuser may read every file")
    def test_a_file_without_permission_is_a_scenario_error(self):
        path = self.write("secret.toml", SMALL)
        os.chmod(path, 0)
        self.assert_refused("run", path, says="cannot be read: Permission denied")

    def test_an_empty_file_is_a_scenario_error(self):
        path = self.write("empty.toml", "")
        self.assert_refused("check", path, says=f"{path}:1:1: error: the scenario is empty; legal: at least one")

    def test_a_file_of_comments_is_a_scenario_error(self):
        self.assert_refused("check", self.write("comment.toml", "# nothing\n"), says="the scenario is empty")

    def test_binary_data_is_a_scenario_error(self):
        self.assert_refused("check", self.write("binary.toml", bytes(range(256))), says="not TOML")

    def test_every_file_is_checked_even_after_a_broken_one(self):
        broken = self.write("broken.toml", "x = 1\n")
        good = self.write("good.toml", SMALL)
        done = self.run_program("check", broken, good, status=2)
        self.assertIn("good.toml: ok, 1 run", done.stdout)
        self.assertIn("broken.toml:1:1: error:", done.stderr)

    # ---- settings

    def test_settings_are_checked_as_the_file_is(self):
        path = self.write("small.toml", SMALL)
        for setting, says in (
            ("driver.invalidatoin=lazy", "--set driver.invalidatoin=lazy: error: key 'driver.invalidatoin': unknown key"),
            ("platform.cpus=0", "key 'platform.cpus': found 0, an integer; legal: an integer from 1 to 256"),
            ("platform.cpus=many", 'found "many", a string; legal: an integer'),
            ("platform.memory.latency=90", None),
            ("platform.memory.latency=90nm", "unknown unit 'nm'"),
            ("workload[3].threads=2", "found nothing to set; legal: workload[0] to workload[0]"),
            ("workload.outstanding=2", "found nothing to set; legal: a [[workload]] of kind dma-traffic"),
            ("workload[x].threads=2", "not the name of a key"),
            ("expect.below=3", "found nothing to set; legal: there is no [[expect]]"),
            ("platform=3", "key 'platform': found 3, an integer; legal: one of its keys, cpus, cpu, memory"),
            ("=3", "not a setting; legal: KEY=VALUE"),
            ("platform.cpus", "--set platform.cpus: error: not a setting; legal: KEY=VALUE"),
            ("sweep.platform.cpus=3", "key 'sweep.platform.cpus': found 3, an integer; legal: an array"),
            ("sweep.nothing=[3]", "key 'nothing': unknown key"),
        ):
            if says is not None:
                with self.subTest(setting=setting):
                    self.assert_refused("run", path, "--set", setting, says=says)

    def test_all_wrong_settings_are_reported_together(self):
        path = self.write("small.toml", SMALL + "x = 1\n")
        self.assert_refused("run", path, "--set", "a=1", "--set", "b=2", "--seed", "-3",
                            says=["key 'a': unknown", "key 'b': unknown", "key 'seed': found -3", "key 'workload.x'"])

    # ---- usage

    def test_wrong_usage_names_what_is_legal(self):
        self.assert_refused(says="no command given")
        self.assert_refused("rum", says=["unknown command 'rum'; legal: run, check", "did you mean 'run'?"])
        self.assert_refused("run", says="found 0 operands; legal: 1")
        self.assert_refused("run", "a", "b", says="found 2 operands; legal: 1")
        self.assert_refused("run", "quickstart", "--html", "x", says="unrecognised option '--html'")
        self.assert_refused("run", "quickstart", "--log-level", "loud", says="legal: trace, debug, info")
        self.assert_refused("run", "quickstart", "--quiet", "-v", says="exclude each other")
        self.assert_refused("run", "quickstart", "--json", self.path("no/such/folder.json"), says="cannot write")
        self.assert_refused("check", says="found 0 operands; legal: at least 1")
        self.assert_refused("compare", "a.json", says="found 1 operands; legal: 2")
        self.assert_refused("describe", "driver.invalidaton", says="did you mean 'driver.invalidation'?")

    def test_help_is_everywhere(self):
        for arguments in ([], ["run"], ["check"], ["list"], ["describe"], ["compare"]):
            done = self.run_program(*arguments, "--help")
            self.assertIn("iommusim", done.stdout)
            self.assertEqual(done.stderr, "")

    def test_help_lists_the_options_that_exist(self):
        text = self.run_program("run", "--help").stdout
        for option in ("--set", "--seed", "--json", "--csv", "--quiet", "--verbose", "--log-level"):
            self.assertIn(option, text)

    def test_the_version_is_a_number(self):
        self.assertRegex(self.run_program("--version").stdout, r"^iommusim \d+\.\d+\.\d+\n$")

    # ---- list and describe

    def test_bundled_scenarios_are_listed_with_their_question(self):
        lines = self.run_program("list").stdout.splitlines()
        for name in ("quickstart", "vtd-interfaces", "vtd-pasids", "vtd-caching-mode", "published/pcie-bench"):
            self.assertTrue(any(line.startswith(name + " ") and line.endswith("?") for line in lines), lines)

    def test_every_bundled_scenario_is_valid(self):
        names = [line.split()[0] for line in self.run_program("list").stdout.splitlines()]
        self.run_program("check", *names)

    def test_describe_knows_models_workloads_metrics_and_keys(self):
        for topic, says in (
            ("smmuv3", "iommu.tlb.entries"),
            ("vtd", "iommu.iotlb.entries"),
            ("published", "published.tolerance"),
            ("map-benchmark", "workload.granules"),
            ("invalidation.latency", "distribution in ps"),
            ("metrics", "oracle.stale_uses"),
            ("driver.invalidation", "legal:   strict, lazy, none"),
            ("platform.memory", "default: 90ns"),
            ("keys", "workload.outstanding"),
        ):
            with self.subTest(topic=topic):
                self.assertIn(says, self.run_program("describe", topic).stdout)

    def feature_page(self, topic):
        """Field -> (advertised, value)."""
        rows = (line.split() for line in self.run_program("describe", topic).stdout.splitlines()[4:])
        return {row[0]: (row[1], int(row[2])) for row in rows}

    def test_describe_prints_feature_pages_of_models_and_their_profiles(self):
        page = self.feature_page("vtd.features")
        self.assertEqual(page["VER.MAX"], ("yes", 1))
        self.assertEqual(page["ECAP.SMTS"], ("yes", 1))
        self.assertEqual(page["ECAP.PSS"], ("yes", 19))
        self.assertEqual(page["ECAP.VCS"], ("no", 0))
        self.assertEqual(self.feature_page("vtd.features:generic"), page)
        older = self.feature_page("vtd.features:broadwell")
        self.assertEqual(older.keys(), page.keys())
        self.assertEqual(older["ECAP.SMTS"], ("no", 0))
        newer = self.feature_page("vtd.features:sapphire-rapids")
        self.assertEqual((page["CAP.FL5LP"], newer["CAP.FL5LP"]), (("no", 0), ("yes", 1)))
        smmu = self.feature_page("smmuv3.features:mmu-600")
        self.assertEqual((smmu["IDR0.S1P"], smmu["IDR0.S2P"]), (("yes", 1), ("no", 0)))
        self.assert_refused("describe", "vtd.features:broadwel", says="did you mean 'vtd.features:broadwell'?")
        self.assert_refused("describe", "vtd.features:mmu-600", says="nothing to describe")

    # ---- running

    def test_results_go_to_standard_output_and_the_log_to_standard_error(self):
        path = self.write("small.toml", SMALL)
        quiet = self.run_program("run", path)
        self.assertIn("map.latency", quiet.stdout)
        self.assertEqual(quiet.stderr, "")
        loud = self.run_program("run", path, "--log-level", "info")
        self.assertEqual(loud.stdout, quiet.stdout)
        self.assertIn("info:", loud.stderr)

    def test_quiet_prints_nothing_and_still_writes_the_report(self):
        path = self.write("small.toml", SMALL)
        done = self.run_program("run", path, "--quiet", "--json", self.path("r.json"), "--csv", self.path("r.csv"))
        self.assertEqual((done.stdout, done.stderr), ("", ""))
        with open(self.path("r.json")) as file:
            self.assertEqual(json.load(file)["scenario"], "small")
        with open(self.path("r.csv")) as file:
            self.assertTrue(file.readline().startswith("scenario,sweep,seed,metric,unit,value,count"))

    def test_the_same_scenario_gives_the_same_bytes(self):
        reports = []
        for name in ("a.json", "b.json"):
            self.run_program("run", "quickstart", "-q", "--set", "workload.operations=30", "--json", self.path(name))
            with open(self.path(name), "rb") as file:
                reports.append(file.read())
        self.assertEqual(*reports)

    def test_a_sweep_runs_in_order_and_a_setting_pins_it(self):
        arguments = ["run", "quickstart", "-q", "--set", "workload.operations=30", "--json", self.path("r.json")]
        self.run_program(*arguments)
        with open(self.path("r.json")) as file:
            runs = json.load(file)["runs"]
        self.assertEqual([run["sweep"] for run in runs],
                         [{"driver.invalidation": "strict"}, {"driver.invalidation": "lazy"}])
        self.run_program(*arguments, "--set", "driver.invalidation=lazy", "--seed", "7")
        with open(self.path("r.json")) as file:
            run = json.load(file)
        self.assertEqual(run["parameters"]["driver.invalidation"]["value"], "lazy")
        self.assertEqual(run["parameters"]["workload[0].operations"]["value"], 30)
        self.assertEqual(run["seed"], 7)

    def test_everything_that_a_run_measures_is_described(self):
        described = self.run_program("describe", "metrics").stdout
        for model in ("smmuv3", "vtd"):
            scenario = SMALL + ('\n[[workload]]\nkind = "dma-traffic"\noperations = 20\nwarmup = 5\n\n[driver]\n'
                                f'invalidation = "lazy"\n\n[iommu]\nmodel = "{model}"\n')
            self.run_program("run", self.write("both.toml", scenario), "-q", "--json", self.path("r.json"))
            with open(self.path("r.json")) as file:
                run = json.load(file)
            names = list(run["metrics"])
            names += ["invalidation.breakdown." + stage for stage in run["invalidation"]["breakdown"]]
            names += [f"locks.{lock}.wait" for lock in run["locks"]]
            for name in names:
                with self.subTest(model=model, name=name):
                    text = self.run_program("describe", name).stdout
                    self.assertIn(text.splitlines()[0], described)
                    is_distribution = "p50" in run["metrics"].get(name, {})
                    if name in run["metrics"]:
                        self.assertEqual("distribution in" in text, is_distribution)

    def test_a_failed_expectation_is_exit_status_3(self):
        held = self.write("held.toml", SMALL + '\n[[expect]]\nmetric = "map.latency.count"\nequals = 20\n')
        self.assertRegex(self.run_program("run", held).stdout, r"(?m)^ok +map.latency.count")
        failed = self.write("failed.toml", SMALL + '\n[[expect]]\nmetric = "map.latency.count"\nabove = 20\n')
        done = self.run_program("run", failed, "--json", self.path("r.json"), status=3)
        self.assertRegex(done.stdout, r"(?m)^FAILED +map.latency.count +above 20 +measured 20$")
        with open(self.path("r.json")) as file:
            self.assertEqual(json.load(file)["expectations"][0]["held"], False)

    def test_a_missed_prediction_is_exit_status_3(self):
        text = SMALL + ('\n[[published]]\nmetric = "map.latency.count"\nvalue = 25\ntolerance = "{}"\n'
                        'role = "{}"\nsource = "a paper"\n')
        met = self.write("met.toml", text.format("20%", "predicted"))
        done = self.run_program("run", met, "--json", self.path("r.json"))
        self.assertRegex(done.stdout, r"(?m)^Published: a paper\n.*\n.*\nmap.latency.count +25 +20 +-20.0 % +20.0 % +ok$")
        with open(self.path("r.json")) as file:
            self.assertEqual(json.load(file)["published"],
                             [{"metric": "map.latency.count", "unit": "count", "published": 25.0, "measured": 20.0,
                               "tolerance": 5.0, "role": "predicted", "within": True, "source": "a paper"}])
        missed = self.write("missed.toml", text.format("19%", "predicted"))
        self.assertRegex(self.run_program("run", missed, status=3).stdout, r"(?m)^map.latency.count .* OUT$")
        self.run_program("run", self.write("calibrated.toml", text.format("19%", "calibrated")))

    # ---- workloads

    def run_traffic(self, device, workload):
        text = f'[[device]]\nname = "nic0"\n{device}\n\n[[workload]]\nkind = "dma-traffic"\n{workload}\n'
        self.run_program("run", self.write("traffic.toml", text), "-q", "--json", self.path("r.json"))
        with open(self.path("r.json")) as file:
            report = json.load(file)
        self.assertEqual(report["oracle"]["stale_uses"], 0)
        metrics = {name: metric.get("value", metric) for name, metric in report["metrics"].items()}
        for name in ("dma.errors", "dma.mismatches"):
            self.assertEqual(metrics[name], 0)
        return metrics

    def test_a_device_has_an_address_space_for_each_pasid(self):
        metrics = self.run_traffic("pasids = 32", "pages = 4\noperations = 6401")
        self.assertEqual(metrics["dma.operations"], 6401)
        self.assertEqual(metrics["iova.allocations"], 32)
        self.assertGreaterEqual(metrics["iommu.walks"], 32 * 4)
        self.assertGreaterEqual(metrics["commands.cfgi_cd"], 2 * 31)
        one = self.run_traffic("pasid = 32", "pages = 4\noperations = 6401")
        self.assertEqual(one["iova.allocations"], 1)

    def test_every_model_tells_the_same_story(self):
        for model in ("smmuv3", "vtd"):
            for device in ("", "pasids = 32"):
                for policy in ("strict", "lazy", "none"):
                    with self.subTest(model=model, device=device, policy=policy):
                        metrics = self.run_traffic(device, f'pages = 2\noperations = 6400\n[iommu]\nmodel = "{model}"\n'
                                                           f'[driver]\ninvalidation = "{policy}"')
                        spaces = 32 if device else 1
                        self.assertEqual(metrics["dma.operations"], 6400)
                        if policy == "none":
                            self.assertEqual(metrics["iommu.walks"], 0)
                        else: # each space has two pages of its own
                            self.assertGreaterEqual(metrics["iommu.walks"], 2 * spaces)

    def test_each_stage_of_vtd_translates(self):
        for stage in ("first", "second", "nested"):
            with self.subTest(stage=stage):
                metrics = self.run_traffic("", f'pages = 2\n[iommu]\nmodel = "vtd"\n[driver]\nstage = "{stage}"')
                self.assertEqual(metrics["iommu.walks"], 2)

    def test_invalidating_through_registers_needs_no_queue(self):
        metrics = self.run_traffic("", 'pages = 2\n[iommu]\nmodel = "vtd"\n[driver]\n'
                                       'invalidation_interface = "registers"')
        self.assertGreater(metrics["iommu.register_invalidations"], 0)
        self.assertEqual(metrics["iommu.commands"], 0)

    def test_fewer_operations_than_pasids_use_fewer_pasids(self):
        self.assertEqual(self.run_traffic("pasids = 4", "operations = 3")["dma.operations"], 3)

    def test_the_warm_up_is_not_measured(self):
        workload = 'pages = 64\npattern = "strided"\noutstanding = 1\ndirection = "to-device"\noperations = 640'
        cold = self.run_traffic("", workload)
        self.assertNotIn("dma.throughput", cold)
        warm = self.run_traffic("", workload + "\nwarmup = 64")
        self.assertEqual(warm["dma.latency"]["count"], 640)
        self.assertEqual(warm["dma.operations"], 704)
        self.assertLess(warm["dma.latency"]["max"], cold["dma.latency"]["max"])
        self.assertAlmostEqual(warm["dma.throughput"] * warm["dma.latency"]["mean"] * 1e-12, 64 * 8, delta=1)

    def test_the_link_adds_its_latency_to_each_dma(self):
        workload = "outstanding = 1\npages = 4"
        near = self.run_traffic("", workload)["dma.latency"]
        far = self.run_traffic('link_latency = "401ns"', workload)["dma.latency"]
        self.assertEqual((far["min"] - near["min"], far["max"] - near["max"]), (401000, 401000))

    def test_the_largest_page_of_a_buffer_is_a_choice(self):
        walks = [self.run_traffic("", f'pages = 1024\noperations = 4096\nstride = "4KiB"\npattern = "strided"\noutstanding = 1\n'
                                      f'largest_page = "{page}"')["iommu.walks"] for page in ("4KiB", "2MiB")]
        self.assertEqual(walks, [1024, 2])

    def test_a_machine_too_small_for_its_driver_is_a_failed_run(self):
        path = self.write("small.toml", SMALL)
        done = self.run_program("run", path, "--set", "platform.memory.size=64KiB", status=1)
        self.assertEqual(done.stdout, "")
        self.assertIn("iommusim: the run failed: ", done.stderr)

    def test_output_that_cannot_be_written_is_a_failed_run(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("needs a device that is always full")
        path = self.write("small.toml", SMALL)
        self.run_program("run", path, "-q", "--json", "/dev/full", status=1)

    # ---- compare

    def test_compare_shows_ratios_and_what_differs(self):
        path = self.write("small.toml", SMALL)
        a, b = self.path("a.json"), self.path("b.json")
        self.run_program("run", path, "-q", "--json", a)
        self.run_program("run", path, "-q", "--json", b, "--seed", "2", "--set", "driver.invalidation=lazy")
        text = self.run_program("compare", a, b).stdout
        self.assertRegex(text, r'(?m)^driver.invalidation +"strict" +"lazy"$')
        self.assertRegex(text, r"(?m)^seed +1 +2$")
        self.assertRegex(text, r"(?m)^unmap.latency mean .*\d\.\d\d\d$")

    def test_compare_refuses_what_is_no_report(self):
        good = self.path("a.json")
        self.run_program("run", self.write("small.toml", SMALL), "-q", "--json", good)
        for name, text, says in (
            ("empty.json", "", "not JSON"),
            ("other.json", "{}", "not a report of iommusim"),
            ("future.json", '{"schema": 99}', "schema 99; legal: 1"),
            ("cut.json", '{"schema": 1}', "not a complete report"),
        ):
            with self.subTest(name=name):
                self.assert_refused("compare", good, self.write(name, text), says=says)
        self.assert_refused("compare", good, self.path("missing.json"), says="cannot be read")


if __name__ == "__main__":
    unittest.main()
