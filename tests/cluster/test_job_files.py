"""The job files and the Snakefile are right: syntax, options of sbatch, and every command line in them."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from magicnn.cli import app
from magicnn.cli.places import chosen_place
from magicnn.cluster import DaskScheduler, SlurmSettings, load_slurm, slurm_script
from magicnn.errors import ConfigError
from magicnn.executors import open_workers

ROOT = Path(__file__).parents[2]
SLURM = ROOT / "analysis" / "slurm"
JOBS = sorted(SLURM.glob("*.sbatch"))
SCRIPTS = [*JOBS, SLURM / "submit.sh", ROOT / "tools" / "slurm_single_node.sh"]
DIRECTIVE = re.compile(r"#SBATCH --[a-z-]+(=\S+)?")
STUB = """#!/bin/bash
printf '%s\\n' "$(basename "$0")" "$@" "" >> "$CALLS"
"""
PASS_ON = "#!/bin/bash\n" + '"$@"\n'


def name(path):
    return path.name


@pytest.fixture
def pretended(tmp_path):
    """Run a job file with commands that only note how they were called."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "activate").touch()
    contents = {"magicnn": STUB, "torchrun": STUB, "srun": PASS_ON, "scontrol": "#!/bin/bash\necho node1 node2\n"}
    contents["sbatch"] = '#!/bin/bash\nprintf "%s\\n" sbatch "$@" "" >> "$CALLS"\necho $(wc -l < "$CALLS")\n'
    for program, content in contents.items():
        (programs / program).write_text(content)
        (programs / program).chmod(0o755)

    def run(script, **variables):
        calls = tmp_path / "calls"
        calls.unlink(missing_ok=True)
        environment = {"PATH": f"{programs}:{os.environ['PATH']}", "VENV": str(tmp_path), "CALLS": str(calls)}
        environment |= {"SLURM_CPUS_PER_TASK": "16", "RUN": str(tmp_path / "run"), **variables}
        done = subprocess.run(
            ["bash", str(script)], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return [call.split("\n") for call in calls.read_text().removesuffix("\n\n").split("\n\n")]

    return run


def parse(words):
    """Let the command line read the words of a call; wrong ones raise."""
    command = typer.main.get_command(app).commands[words[0]]
    return command.make_context(words[0], list(words[1:])).params


def tasks_of(script):
    found = re.search(r"--array=0-(\d+)", script.read_text())
    return range(int(found[1]) + 1) if found else [0]


def test_there_are_job_files():
    wanted = {"simulate", "convert", "features", "baseline", "train", "train_torchrun", "predict", "report"}
    assert {path.stem for path in JOBS} == wanted


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_syntax(script):
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text()
    assert text.startswith("#!/bin/bash\n# "), "says what it does"
    assert "set -euo pipefail" in text


@pytest.mark.parametrize("script", JOBS, ids=name)
def test_directives_and_command_lines(script, pretended):
    lines = script.read_text().splitlines()
    directives = [line for line in lines if line.startswith("#SBATCH")]
    assert all(DIRECTIVE.fullmatch(line) for line in directives)
    given = {line.removeprefix("#SBATCH --").split("=")[0] for line in directives}
    assert given >= {"job-name", "nodes", "cpus-per-task", "mem", "time", "output"}
    last = max(lines.index(line) for line in directives)
    assert all(line.startswith("#") for line in lines[:last]), "sbatch reads no directives behind the first command"
    outputs = []
    for task in tasks_of(script):
        calls = pretended(
            script,
            SLURM_ARRAY_TASK_ID=str(task),
            NIGHT="night",
            SLURM_JOB_ID="17",
            SLURM_JOB_NUM_NODES="2",
            SLURM_JOB_NODELIST="node[1-2]",
            SLURM_GPUS_ON_NODE="4",
        )
        for program, *words in calls:
            if program == "torchrun":
                assert words[words.index("--nproc-per-node") + 1] == "4"
                words = words[words.index("-m") + 2 :]
            parameters = parse(words)
            outputs.append((words[0], str(parameters["output"])))
            if words[0] in ("simulate", "baseline", "train"):
                done = CliRunner().invoke(app, [*words, "--dry-run"])
                assert done.exit_code == 0, done.output
    assert len(set(outputs)) == len(outputs), "no two tasks write to the same place"


def test_submit_makes_every_step_wait_for_the_one_before(pretended):
    calls = pretended(SLURM / "submit.sh")
    steps = [Path(call[-1]).stem for call in calls]
    assert steps == ["simulate", "features", "baseline", "train", "predict", "report"]
    assert all((SLURM / f"{step}.sbatch").exists() for step in steps)
    assert [any(w.startswith("--dependency=afterok:") for w in call) for call in calls] == [False] + [True] * 5


def test_workers_as_slurm_jobs(tmp_path):
    settings = load_slurm(SLURM / "workers.yaml")
    assert settings.jobs * settings.cores == 128
    assert chosen_place(None, None, SLURM / "workers.yaml") == settings
    assert chosen_place(None, "tcp://head:8786", None) == DaskScheduler("tcp://head:8786")
    assert chosen_place(3, None, None) == 3
    assert chosen_place(None, None, None) is None
    with pytest.raises(ConfigError, match=r"--workers.*--dask.*--slurm.*give one"):
        chosen_place(3, "tcp://head:8786", None)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("jobs: 2\nwaltime: 1\n")
    with pytest.raises(ConfigError, match="walltime"):
        load_slurm(wrong)


def test_the_script_of_the_workers(tmp_path):
    pytest.importorskip("dask_jobqueue")
    settings = SlurmSettings(
        jobs=2, cores=4, memory="8GB", walltime="01:00:00", partition="long", account="magic", directives=("--qos=low",)
    )
    script = tmp_path / "worker.sh"
    script.write_text(slurm_script(settings))
    subprocess.run(["bash", "-n", str(script)], check=True)
    text = script.read_text()
    for line in ("-p long", "-A magic", "--cpus-per-task=4", "-t 01:00:00", "--qos=low", "-J magicnn"):
        assert f"#SBATCH {line}\n" in text
    assert "--nthreads 1 " in text
    assert "--nworkers 4 " in text


def test_without_slurm_it_says_so(monkeypatch):
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match="no command sbatch on this machine"), open_workers(SlurmSettings()):
        pass


def test_the_network_for_the_energy_is_that_of_the_main_job():
    read = {
        path: yaml.safe_load((ROOT / "analysis" / path).read_text())
        for path in ("energy_network.yaml", "full_comparison.yaml")
    }
    assert read["energy_network.yaml"]["inputs"] == read["full_comparison.yaml"]["energy"]["inputs"]


@pytest.mark.slow
def test_snakemake_plans_every_command(tmp_path):
    """Snakemake has an environment of its own, where the variable SNAKEMAKE names it unless it is on the path."""
    program = shutil.which(os.environ.get("SNAKEMAKE", "snakemake"))
    if program is None:
        pytest.skip("no snakemake")
    words = ["--snakefile", "analysis/Snakefile", "--cores", "2", "--config", f"run={tmp_path}", "-n", "-p"]
    done = subprocess.run([program, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    calls = set(re.findall(r"^(?:Shell command: |\s+)?(magicnn .*)$", done.stdout + done.stderr, re.MULTILINE))
    assert len(calls) == 80
    for call in calls:
        parse(shlex.split(call)[1:])
