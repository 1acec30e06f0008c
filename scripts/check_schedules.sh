#!/usr/bin/env bash
# Test the files in contrib/ with the real programs: cron, systemd-analyze, logrotate.
#
# Needs root and a machine of its own (a container): it creates a user, directories and a sendmail
# program, and removes them at the end. The cron part takes two minutes, because cron starts a job
# once a minute at most. Exits with 1 if a file does not work as shipped.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
mail=$(mktemp -d)/mail

say() { echo "schedules: $*" >&2; }
fail() {
    say "FAILED: $*"
    exit 1
}

[ "$(id -u)" = 0 ] || fail "needs root: creates users and files in /etc"
for place in /opt/modelaudit /srv/models /var/lib/modelaudit /var/log/modelaudit \
    /etc/modelaudit /etc/cron.d/modelaudit /usr/sbin/sendmail; do
    [ ! -e "$place" ] || fail "$place exists already; run this on a machine of its own"
done
! id modelaudit >/dev/null 2>&1 || fail "a user modelaudit exists already"

missing=()
for pair in cron:cron logrotate:logrotate systemd-analyze:systemd; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ ${#missing[@]} -gt 0 ]; then
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        "${missing[@]}" >&2
fi

cron=
clean_up() {
    [ -z "$cron" ] || kill "$cron" 2>/dev/null || true
    rm -rf /opt/modelaudit /srv/models /var/lib/modelaudit /var/log/modelaudit "$(dirname "$mail")"
    rm -rf /etc/modelaudit
    rm -f /etc/cron.d/modelaudit /usr/sbin/sendmail
    userdel modelaudit 2>/dev/null || true
}
trap clean_up EXIT

useradd --system --no-create-home --shell /usr/sbin/nologin modelaudit
mkdir -p /opt/modelaudit/bin /srv/models /var/lib/modelaudit /var/log/modelaudit /etc/modelaudit
told=$(dirname "$mail")/told
printf '[nightly]\nnotify = ["tee", "%s"]\n' "$told" >/etc/modelaudit/modelaudit.toml
ln -s "$repository/.venv/bin/modelaudit" /opt/modelaudit/bin/modelaudit
cp sample_models/digits_robust.keras sample_models/digits_noaug.h5 /srv/models/
chown modelaudit: /var/lib/modelaudit /var/log/modelaudit

say "systemd: $(systemctl --version | head -n 1)"
systemd-analyze verify --man=no contrib/systemd/modelaudit-nightly.timer \
    contrib/systemd/modelaudit-nightly.service
systemd-analyze calendar "$(sed -n 's/^OnCalendar=//p' contrib/systemd/modelaudit-nightly.timer)" \
    >/dev/null

# The table as shipped, but every minute instead of every night, and as root, because the user
# modelaudit may not be allowed to enter the directories of this checkout.
sed -e 's/^17 2 \* \* \* modelaudit /* * * * * root /' contrib/cron/modelaudit >/etc/cron.d/modelaudit
grep -q '^\* \* \* \* \* root ' /etc/cron.d/modelaudit || fail "the cron table has another format"
sed -i 's/ nightly / nightly --no-probe -f json /' /etc/cron.d/modelaudit
cat >/usr/sbin/sendmail <<MAIL
#!/bin/sh
cat >>$mail
MAIL
chmod 755 /usr/sbin/sendmail

log=/var/log/modelaudit/nightly.jsonl
runs() { grep -c '"event": "run"' $log 2>/dev/null || true; }
wait_for_run() { # NUMBER
    for _ in $(seq 150); do
        [ "$(runs)" -lt "$1" ] || return 0
        sleep 1
    done
    fail "cron did not make run $1 within 150 seconds"
}

say "cron: first run by hand, so that cron's first run has no change to report"
MODELAUDIT_OUT=/var/lib/modelaudit MODELAUDIT_LOG_FILE=$log \
    /opt/modelaudit/bin/modelaudit nightly --no-probe -f json --quiet /srv/models
cron -f &
cron=$!
wait_for_run 2
sleep 2
[ ! -s "$mail" ] || fail "mail sent although nothing changed: $(cat "$mail")"
say "cron: ran without sending mail"
cp /srv/models/digits_noaug.h5 /srv/models/another.h5
wait_for_run 3
sleep 2
grep -q 'new  *another.h5  pass' "$mail" || fail "no mail about the new model"
grep -q 'another.h5' "$told" || fail "the settings in /etc/modelaudit were not used"
say "cron: new model reported by mail and to the configured program"
kill "$cron"
cron=

# Rotate as the user named in the file; the next line must go to a new file.
chown modelaudit: $log
logrotate --force --state "$(dirname "$mail")/state" contrib/logrotate/modelaudit ||
    fail "logrotate refuses the file"
[ -s $log.1 ] && [ -e $log ] && [ ! -s $log ] || fail "the log was not rotated"
say "logrotate: $(logrotate --version 2>&1 | head -n 1), rotated"
say "all files in contrib/ work"
