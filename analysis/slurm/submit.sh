#!/bin/bash
# Submit the whole comparison, each step after those that it needs; options go to every sbatch.
#
#   RUN=runs/slurm analysis/slurm/submit.sh --partition=long
#   TRAIN=train_torchrun analysis/slurm/submit.sh          networks on several GPUs each
set -euo pipefail
here=$(dirname "$0")
if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    exit
fi
previous=
for step in simulate features baseline "${TRAIN:-train}" predict report; do
    after=()
    if [[ -n $previous ]]; then
        after=("--dependency=afterok:$previous" --kill-on-invalid-dep=yes)
    fi
    previous=$(sbatch --parsable "${after[@]}" "$@" "$here/$step.sbatch")
    echo "$step: job $previous"
done
