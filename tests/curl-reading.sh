#!/bin/sh
# Sessions with curl, as somebody would type them who has read docs/protocol.
# In the environment: URL of a service, with its last slash, and a user's TOKEN, key:secret.
set -eu
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"

says() { # says WHAT EXPECTED: what the last command left in "got" is just that
    printf '%s\n' "$2" >expected
    diff expected got >&2 || { echo "curl-reading: $1" >&2 && exit 1; }
}

header() { # header NAME: that of the last reply, whose head is in "head"
    tr -d '\r' <head | grep -i "^$1:" | cut -d ' ' -f 2-
}

# Make a public series of five points.
printf '1236735000,1\n1236735010,2.5\n1236735020,null\n1236735030,true\n1236735040,5\n' >data.csv
curl -sSf -u "$TOKEN" "${URL}create/" -F title=Power -F caption='Office power' -F public=true \
    -F csv=@data.csv >series
SERIES=$(cat series)

# Anybody reads it: the last point, and the one before a time.
printf '%s\n' "$(curl -sSf "${SERIES}value/json/")" >got
says 'the latest value' '{"timestamp": 1236735040.0, "value": 5.0}'
printf '%s\n' "$(curl -sSf "${SERIES}value/json/?at=2009-03-11T01:30:15&side=before")" >got
says 'the value at a time' '{"timestamp": 1236735010.0, "value": 2.5}'

# A window, oldest first or latest first.
curl -sSf "${SERIES}csv/?start=1236735010&end=1236735030" >got
says 'a window' '1236735010.0,2.5
1236735020.0,null'
curl -sSf "${SERIES}csv/iso.csv?order=desc&limit=1" >got
says 'the latest in ISO' '2009-03-11T01:30:40,5.0'

# Page by page, by the Link of each.
page="${SERIES}csv/?limit=2"
: >got
while [ -n "$page" ]; do
    curl -sSf -D head "$page" >>got
    page=$({ header link || true; } | sed -n 's/^<\(.*\)>; rel="next"$/\1/p')
done
says 'all pages' '1236735000.0,1.0
1236735010.0,2.5
1236735020.0,null
1236735030.0,true
1236735040.0,5.0'

# In the form that Accept names.
printf '%s\n' "$(curl -sSf -H 'Accept: application/json' "${SERIES}points/?limit=2")" >got
says 'JSON' '{"points": [[1236735000.0,1.0],[1236735010.0,2.5]]}'
curl -sSf -D head -H 'Accept: application/vnd.timetric.points' "${SERIES}points/?limit=2" |
    od -An -v -t f8 | tr -s ' ' | sed 's/^ //' >got
says '16 bytes a point' '1236735000 1
1236735010 2.5'
header timetric-words >got
says 'no words' 'no'
curl -sS -o got -w '%{http_code}\n' -H 'Accept: image/png' "${SERIES}points/" >status
mv status got
says 'a picture of the points' '406'

# Only when it has changed. (curl keeps the tag in a file.)
curl -sSf --etag-save tag "${SERIES}csv/" >first
curl -sSf --etag-compare tag -w '%{http_code}\n' "${SERIES}csv/" >got
says 'what has not changed' '304'
curl -sSf -u "$TOKEN" "$SERIES" -d value=6 -d timestamp=1236735050
curl -sSf --etag-compare tag "${SERIES}csv/" >second
diff first second >got || true
says 'what has changed' '5a6
> 1236735050.0,6.0'

# Packed on the way, and by hand.
curl -sSf --compressed "${SERIES}csv/" >got
diff got second
curl -sSf -H 'Accept-Encoding: gzip' "${SERIES}csv/" | gzip -dc >got
diff got second

# The head alone, and what may be done.
curl -sSf -I "${SERIES}csv/" >head
header content-type >got
says 'the type' 'text/csv; charset=utf-8'
curl -sSf -X OPTIONS -D head -o got "${SERIES}csv/"
header allow >got
says 'the methods' 'GET, HEAD, OPTIONS'

# What is wrong is said.
problem=$(curl -sS "${SERIES}csv/?limit=none")
printf '%s\n' "$problem" | sed 's/.*"detail": "\([^"]*\)".*/\1/' >got
says 'a limit that is none' 'limit is no whole number from 1 on.'
