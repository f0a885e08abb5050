# shellcheck shell=bash
# Long work that shows that it lives, for tests/run, examples/demo and their like.
#
#   with_progress LABEL LOG LIMIT COMMAND...   runs the command, its output in LOG; shows the label, the seconds and (on a
#                                              terminal) the last line of the log; returns its status, 124 past LIMIT seconds
#   stop_progress                              for a trap: ends what with_progress runs, and all that it started
#
# The command gets a process group of its own, so that nothing it starts outlives it.

PROGRESS_GROUP=

stop_progress() {
  [ -n "$PROGRESS_GROUP" ] || return 0
  local _
  kill -TERM -- "-$PROGRESS_GROUP" 2>/dev/null || { PROGRESS_GROUP=; return 0; }
  for _ in {1..50}; do
    kill -0 -- "-$PROGRESS_GROUP" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL -- "-$PROGRESS_GROUP" 2>/dev/null
  PROGRESS_GROUP=
  return 0
}

with_progress() {
  local label=$1 log=$2 limit=$3 start=$SECONDS spent shown=-1 told=60 status=0 line width
  shift 3
  [ -t 1 ] && width=$(tput cols 2>/dev/null) || width=80
  set -m
  "$@" >"$log" 2>&1 </dev/null &
  PROGRESS_GROUP=$!
  set +m
  while kill -0 "$PROGRESS_GROUP" 2>/dev/null; do
    spent=$((SECONDS - start))
    if [ "$spent" -ge "$limit" ]; then
      status=124
      break
    fi
    if [ "$spent" != "$shown" ]; then
      shown=$spent
      if [ -t 1 ]; then
        line=$(tail -c 400 "$log" 2>/dev/null | tr -d '\r' | tr -c '[:print:]\n' ' ' | tail -n 1)
        line="$label: $spent s  $line"
        printf '\r\033[K%s' "${line:0:width-1}"
      elif [ "$spent" -ge "$told" ]; then
        told=$((told + 60))
        echo "      $label: $spent s ..."
      fi
    fi
    sleep 0.1
  done
  if [ -t 1 ]; then printf '\r\033[K'; fi
  if [ "$status" = 0 ]; then
    wait "$PROGRESS_GROUP" || status=$?
  else
    echo "stopped: it ran for $limit s, its limit" >>"$log"
  fi
  stop_progress
  return "$status"
}
