"""The fixed parts of the script that ``shell.py`` writes; POSIX shell (IEEE 1003.1).

All of it is one ``{ … }``, which a shell reads to its end before it does anything: a script
that is cut short is an error of syntax and does nothing.

Without ``set -e``, which a call behind ``&&`` or ``||`` suspends: every command whose
failure counts says itself what becomes of it.
"""

from __future__ import annotations

HEAD = """\
#!/bin/sh
{
# Rebuilds @FILES@ files (@SIZE@ bytes) as they were locked, from their sources and without
# artlock. `artlock export sh` wrote it.
#
#     sh THIS_SCRIPT [FOLDER]      into the current folder if none is named
#
# It needs, as far as they occur below: aws for S3, curl for Google Cloud Storage and the
# web; and to compare bytes b3sum or Python's blake3, sha256sum, sha512sum or shasum, md5sum
# or openssl. Credentials are those that aws has; for Google a token in GCS_TOKEN, else the
# one that gcloud gives, else none. Headers come from variables, named where they are used.
#
# A file that is there and holds is kept, so the script may be run again after a failure. It
# stops at the first file that does not hold; what is wrong never gets its final name.
# It exits with 0 if all is there, 1 if another file is in the way, 2 if a program or a
# variable is missing, 3 if a source fails, 4 if bytes are wrong.

set -u
export AWS_PAGER= CDPATH=

say() { printf '%s\\n' "$*" >&2; }
stop() { code=$1; shift; say "stopped: $*"; exit "$code"; }
has() { command -v "$1" >/dev/null 2>&1; }

here=$(pwd)
part=.artlock-part
fetched=0 kept=0 unproved=0
case ${1:-.} in
  /*) folder=$1 ;;
  *) folder=./${1:-.} ;;
esac
mkdir -p -- "$folder" && cd -- "$folder" || exit 3
trap 'rm -f -- "$part"' EXIT
trap 'exit 130' INT TERM

# What computes a digest of its input; where no program can, there is no such function.
# Python would also look for modules in the folder, where there is data: hence `filter`.
"""

SUMS = {
    "blake3": """\
if has b3sum; then sum_blake3() { b3sum; }
elif python3 -c 'import sys; sys.path[:] = filter(None, sys.path)
import blake3' 2>/dev/null; then
  sum_blake3() { python3 -c 'import sys; sys.path[:] = filter(None, sys.path)
import blake3
h = blake3.blake3()
while piece := sys.stdin.buffer.read(1 << 20): h.update(piece)
print(h.hexdigest())'; }
fi
""",
    "sha256": """\
if has sha256sum; then sum_sha256() { sha256sum; }
elif has shasum; then sum_sha256() { shasum -a 256; }
fi
""",
    "sha512": """\
if has sha512sum; then sum_sha512() { sha512sum; }
elif has shasum; then sum_sha512() { shasum -a 512; }
fi
""",
    "md5": """\
if has md5sum; then sum_md5() { md5sum; }
elif has openssl; then sum_md5() { openssl md5 -r; }
fi
""",
}
"""For each algorithm the lines that look for a program."""

TAIL = """\

# can_compare TOKENS: whether one of them can be computed here, or there is none.
can_compare() {
  [ -z "$1" ] && return
  for token in $1; do has "sum_${token%%:*}" && return; done
  return 1
}

# holds FILE SIZE TOKENS: whether it has that size and the strongest token that can be
# computed here; `wanted` and `found` tell the difference.
holds() {
  wanted="$2 bytes" found="$(($(wc -c <"$1"))) bytes"
  [ "$found" = "$wanted" ] || return
  for token in $3; do
    has "sum_${token%%:*}" || continue
    found=$("sum_${token%%:*}" <"$1") || return
    wanted=$token found=${token%%:*}:${found%% *}
    [ "$found" = "$wanted" ]
    return
  done
}

# is_there FILE SIZE TOKENS: whether nothing has to be done for it.
is_there() {
  can_compare "$3" ||
    stop 2 "nothing here can compute one of: $3 (get a program, or export with --sha256)"
  [ -n "$3" ] || unproved=$((unproved + 1))
  if [ -e "$1" ] || [ -L "$1" ]; then
    [ -f "$1" ] && holds "$@" || stop 1 "$1 is there with other content; move it away"
    kept=$((kept + 1))
    return
  fi
  case $1 in
    */*) mkdir -p -- "${1%/*}" || stop 3 "there can be no folder for $1" ;;
  esac
  return 1
}

# take FILE SIZE TOKENS: name what has come, if it holds.
take() {
  [ -f "$part" ] || : >"$part"
  holds "$part" "$2" "$3" || stop 4 "$1: wanted $wanted, found $found"
  mv -- "$part" "$1" || stop 3 "$1 cannot be written"
  fetched=$((fetched + 1))
}

# once OPTIONS ADDRESS: the bytes as they are stored; of a redirect what it says.
once() {
  curl --fail --silent --show-error --globoff --path-as-is --proto '=http,https' \\
    --connect-timeout 30 --retry 3 --output "$part" "$@"
}

# ask OPTIONS ADDRESS: the same, from where redirects lead.
ask() { once --location "$@"; }

# headed NAME LINES ADDRESS [OPTIONS]: the same with headers, which are the value of the
# variable NAME. They go to curl where no list of processes shows them, and to no host but
# that of the address: a redirect to another is followed without them.
headed() {
  [ -n "$2" ] || stop 2 "$1 is not set: put the headers into it, each on a line"
  lines=$2 to=$3 origin=${3#*://}
  origin=${3%%://*}://${origin%%/*}
  shift 3
  for _ in 1 2 3 4 5; do
    case $to in
      "$origin" | "$origin"/*) ;;
      *) ask "$@" "$to"; return ;;
    esac
    next=$(printf '%s\\n' "$lines" |
      once --header @- --write-out '%{redirect_url}' "$@" "$to") || return
    [ -n "$next" ] || return 0
    to=$next
    rm -f -- "$part"
  done
  say "$to: there are too many redirects"
  return 1
}

# google [anonymously] OPTIONS ADDRESS: the token goes to curl where no list of processes
# shows it, and neither to an emulator nor over a connection without encryption.
google() {
  token=
  if [ "$1" = anonymously ]; then shift
  elif [ -z "${STORAGE_EMULATOR_HOST-}" ]; then
    token=${GCS_TOKEN-$(gcloud auth print-access-token 2>/dev/null)}
  fi
  case $service in
    https://*) set -- --proto '=https' "$@" ;;
  esac
  case $token$service in
    ?*https://*)
      printf 'header = "Authorization: Bearer %s"\\n' "$token" |
        ask --config - --header 'Accept-Encoding: gzip' "$@" ;;
    *) ask --header 'Accept-Encoding: gzip' "$@" ;;
  esac
}

# s3 FILE SIZE TOKENS BUCKET KEY [OPTIONS]
s3() {
  is_there "$1" "$2" "$3" && return
  file=$1 size=$2 tokens=$3 bucket=$4 key=$5
  shift 5
  reach --bucket "$bucket" --key "$key" "$@" "$part" >/dev/null || stop 3 "$file: S3 failed"
  take "$file" "$size" "$tokens"
}

# s3_odd FILE SIZE TOKENS BUCKET KEY [OPTIONS]: of a key that cannot be an argument. It has
# escapes for printf, and aws reads it from its input.
s3_odd() {
  is_there "$1" "$2" "$3" && return
  file=$1 size=$2 tokens=$3 bucket=$4 key=$5
  shift 5
  printf %b "$key" |
    reach --bucket "$bucket" --key file:///dev/stdin "$@" "$part" >/dev/null ||
    stop 3 "$file: S3 failed"
  take "$file" "$size" "$tokens"
}

# gcs FILE SIZE TOKENS ADDRESS: without a service it is Google's, or that of an emulator.
gcs() {
  is_there "$1" "$2" "$3" && return
  service=${4%%/storage/*} path=/storage/${4#*/storage/}
  : "${service:=${STORAGE_EMULATOR_HOST:-https://storage.googleapis.com}}"
  case $service in
    *://*) ;;
    *) service=http://$service ;;
  esac
  reach "${service%/}$path" || stop 3 "$1: Google Cloud Storage failed"
  take "$1" "$2" "$3"
}

# web FILE SIZE TOKENS ADDRESS [OPTIONS]
web() {
  is_there "$1" "$2" "$3" && return
  file=$1 size=$2 tokens=$3
  shift 3
  reach "$@" --header 'Accept-Encoding: identity' || stop 3 "$file: the web failed"
  take "$file" "$size" "$tokens"
}

# copy FILE SIZE TOKENS SOURCE: a source that is no absolute path is from where this began.
copy() {
  is_there "$1" "$2" "$3" && return
  case $4 in
    /*) source=$4 ;;
    *) source=$here/$4 ;;
  esac
  cp -- "$source" "$part" || stop 3 "$1: $source cannot be read"
  take "$1" "$2" "$3"
}

# finish FILES: the last deed.
finish() {
  [ $((fetched + kept)) -eq "$1" ] || stop 3 "not all of $1 files were asked for"
  say "all $1 files are there: $fetched fetched, $kept kept"
  [ "$unproved" -eq 0 ] || say "of $unproved of them only the size was compared"
}
"""
