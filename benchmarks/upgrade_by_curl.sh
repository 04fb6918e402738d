#!/usr/bin/env bash
# Copyright: Contributors to the siteops.upgrades collection
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What somebody without the collection would write from the API document: its calls with curl and jq, one after another.
# upgrade_by_curl.sh API_URL CA_FILE CONTRACT EMAIL TARGET DUMP RESULT
# Contract and key are arguments of curl, so every user of the machine can read them; that is how the document does it.

set -eu

api_url=$1 ca_file=$2 contract=$3 email=$4 target=$5 dump=$6 result=$7
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

ask() {
    curl -sS --cacert "$ca_file" "$@" > "$answer"
    failures=$(jq -r '.failures[]' "$answer")
    if [ "$failures" != "" ]; then
        echo "$failures" >&2
        exit 1
    fi
}

ask "${api_url}/create?contract=${contract}&aim=test&target=${target}&email=${email}&filename=$(basename "$dump")"
parameters="key=$(jq -r '.request.key | @uri' "$answer")&request=$(jq -r '.request.id' "$answer")"

ask -H "Content-Type: application/octet-stream" --data-binary "@${dump}" "${api_url}/upload?${parameters}"
ask "${api_url}/process?${parameters}"

ask "${api_url}/status?${parameters}"
while [ "$(jq -r '.request.state' "$answer")" != "done" ]; do
    sleep 60
    ask "${api_url}/status?${parameters}"
done

curl -sS --cacert "$ca_file" -o "$result" "$(jq -r '.request.upgraded_dump_url' "$answer")"
