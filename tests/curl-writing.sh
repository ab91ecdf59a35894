#!/bin/sh
# A session with curl, as somebody would type it who has read docs/protocol.
# In the environment: URL of a service, with its last slash, and a user's TOKEN, key:secret.
set -eu
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"

fail() {
    echo "$1" >&2
    exit 1
}

# Sends a request; its status is in $status, its body in the file body, its headers in headers.
ask() {
    status=$(curl -sS -u "$TOKEN" -o body -D headers -w '%{http_code}' "$@")
}

is() {
    [ "$1" = "$2" ] || fail "expected $2, found $1: $(cat headers body)"
}

# A header of the reply.
header() {
    tr -d '\r' <headers | sed -n "s/^$1: //Ip"
}

csv() {
    curl -sS -u "$TOKEN" "${SERIES}csv/"
}

printf '1236735000,1\n1236735060,2\n1236735120,null\n' >power.csv

# a series, made once although it is sent twice
for again in first second; do
    ask "${URL}create/" -F title='Office power' -F caption='Of the office' -F csv=@power.csv \
        -H 'Idempotency-Key: make-power'
    is "$status" 201
    is "$(header Timetric-Added)" 3
    SERIES=$(cat body)
    echo "$SERIES" >>made
done
is "$(sort -u made | wc -l)" 1

# values
ask "$SERIES" -d value=14 -d timestamp=2009-03-11T01:33:00
is "$status" 204
is "$(header Timetric-Point)" 1236735180.0,14.0
for again in first second; do
    ask "$SERIES" -d increment=4.5 -H 'Idempotency-Key: count-1'
    is "$(header Timetric-Point | cut -d, -f2)" 18.5
done
is "$(csv | wc -l)" 5

# an upload over what is there, first tried
ask "$SERIES?dry_run=true" -H 'Content-Type: text/csv' --data-binary @power.csv
is "$(header Timetric-Unchanged)" 3
printf '1236735000,9\n1236735240,9\n' >other.csv
ask "$SERIES?on_conflict=error" -H 'Content-Type: text/csv' --data-binary @other.csv
is "$status" 409
grep -q '"timestamp": 1236735000.0' body || fail "no timestamp: $(cat body)"
ask "$SERIES?on_conflict=keep" -H 'Content-Type: text/csv' --data-binary @other.csv
is "$(header Timetric-Added) $(header Timetric-Replaced) $(header Timetric-Unchanged)" "1 0 1"

# packed, by POST and by PUT
gzip -k power.csv
ask "$SERIES" -H 'Content-Type: text/csv' -H 'Content-Encoding: gzip' --data-binary @power.csv.gz
is "$(header Timetric-Unchanged)" 3
ask -X PUT "$SERIES" -H 'Content-Encoding: gzip' --data-binary @power.csv.gz
is "$(header Timetric-Removed)" 3
csv >read.csv
is "$(cat read.csv)" "$(printf '1236735000.0,1.0\n1236735060.0,2.0\n1236735120.0,null')"
head -c 40 power.csv.gz >cut.gz
ask -X PUT "$SERIES" --data-binary @cut.gz -H 'Content-Encoding: gzip'
is "$status" 400

# the 16-byte form: 0,1 and 1,1
printf '\0\0\0\0\0\0\0\0\0\0\0\0\0\0\360?\0\0\0\0\0\0\360?\0\0\0\0\0\0\360?' >points
ask "$SERIES" -H 'Content-Type: application/vnd.timetric.points' --data-binary @points
is "$(header Timetric-Added)" 2
is "$(csv | head -1)" 0.0,1.0

# a range, and only to the version that one has seen
version=$(header Timetric-Version)
ask -X DELETE "$SERIES?start=0&end=1" -H 'If-Match: "0.0"'
is "$status" 412
ask -X DELETE "$SERIES?start=0&end=1"
is "$(header Timetric-Removed)" 1
is "$(header Timetric-Version)" $((version + 1))

# metadata
ask -X PATCH "${SERIES}metadata/" -H 'Content-Type: application/merge-patch+json' \
    -d '{"unit": "kW", "tags": ["power", "office"], "public": true}'
is "$status" 200
curl -sS "${SERIES}metadata/" | grep -q '"unit": "kW"' || fail 'no unit'

# what a key's write did
ask "${SERIES}writes/count-1/"
is "$status" 200
ask "${SERIES}writes/count-2/"
is "$status" 404

# the end of it
ask -X DELETE "$SERIES?series=true"
is "$(header Timetric-Removed)" 4
ask "${SERIES}csv/"
is "$status" 404
