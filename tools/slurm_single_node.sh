#!/bin/bash
# A Slurm of one node for trying jobs out, from Debian's packages, with everything of its own in one folder.
#
#   tools/slurm_single_node.sh install          packages slurmctld, slurmd, slurm-client, munge (needs root)
#   tools/slurm_single_node.sh start FOLDER     write FOLDER/slurm.conf and start the daemons (needs root)
#   export SLURM_CONF=FOLDER/slurm.conf         then sbatch, squeue, scancel are those of this node
#   tools/slurm_single_node.sh stop FOLDER      end the daemons
#
# It is no cluster: no accounting, no limits of memory, and the one partition "main" has all cores of this machine.
set -euo pipefail

usage() {
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit "${1:-2}"
}

install() {
    apt-get -o DPkg::Lock::Timeout=600 update -q
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -q --no-install-recommends \
        slurmctld slurmd slurm-client munge
}

configure() {
    local folder=$1 host cores memory
    host=$(hostname -s)
    cores=$(nproc)
    memory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
    mkdir -p "$folder"/{state,spool,munge}
    # munge insists on folders that nobody else can write to
    chmod 0755 "$folder" "$folder/munge"
    cat > "$folder/slurm.conf" <<CONF
ClusterName=single
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=6837
SlurmdPort=6838
AuthType=auth/munge
AuthInfo=socket=$folder/munge/munge.socket
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
# nothing that needs control groups, which containers lack
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=5
MailProg=/bin/true
ReturnToService=2
JobRequeue=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores RealMemory=$memory State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
}

start() {
    local folder
    mkdir -p "$1"
    folder=$(realpath "$1")
    configure "$folder"
    if [ ! -s "$folder/munge/munge.key" ]; then
        (umask 077 && dd if=/dev/urandom of="$folder/munge/munge.key" bs=1024 count=1 status=none)
    fi
    /usr/sbin/munged --force --key-file="$folder/munge/munge.key" --socket="$folder/munge/munge.socket" \
        --pid-file="$folder/munge/munged.pid" --log-file="$folder/munge/munged.log" --seed-file="$folder/munge/seed"
    export SLURM_CONF=$folder/slurm.conf
    /usr/sbin/slurmctld
    /usr/sbin/slurmd
    for _ in $(seq 60); do
        if sinfo --noheader --states=idle,mixed,allocated 2> "$folder/sinfo.err" | grep -q main; then
            sinfo
            echo "export SLURM_CONF=$SLURM_CONF"
            return
        fi
        sleep 1
    done
    cat "$folder/sinfo.err" >&2
    echo "the node did not become idle; see $folder/slurmctld.log and $folder/slurmd.log" >&2
    exit 1
}

stop() {
    local folder pid_file
    folder=$(realpath "$1")
    for pid_file in "$folder/slurmd.pid" "$folder/slurmctld.pid" "$folder/munge/munged.pid"; do
        if [ -s "$pid_file" ]; then
            kill "$(cat "$pid_file")" 2> /dev/null || true
        fi
    done
}

case "${1:-}" in
    install) install ;;
    start | stop) [ $# -eq 2 ] || usage; "$1" "$2" ;;
    -h | --help) usage 0 ;;
    *) usage ;;
esac
