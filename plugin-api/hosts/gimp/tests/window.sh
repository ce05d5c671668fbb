#!/usr/bin/env bash
# Drives the plug-in in GIMP's windows as a user does: menu, dialog, progress, result, undo, redo, cancel.
# Runs under an X server without a window manager: window.sh GIMP PICTURE WIDTHxHEIGHT SHOTS
set -u
gimp=$1 picture=$2 size=$3 shots=$4
large=$((${size%x*} * 4))x$((${size#*x} * 4))
mkdir -p "$shots"

step() { echo "ok: $*"; }
fail() { echo "failed: $*"; import -window root "$shots/failure.png"; kill "$main" 2>/dev/null; exit 1; }
shot() { import -window root "$shots/$1.png"; }
window() { xdotool search --onlyvisible --name "$1" 2>/dev/null | tail -1; }
# Loaded machines are slow: up to two minutes.
await() {
    for _ in $(seq 480); do
        [ -n "$(window "$1")" ] && { step "$2"; return; }
        sleep 0.25
    done
    fail "$2"
}
keys() { # WINDOW KEY...
    xdotool windowfocus --sync "$(window "$1")"; shift
    for key; do xdotool key --clearmodifiers "$key"; sleep 0.4; done
}
plug_in() { pgrep -f plug-ins/partdiff-gimp/partdiff-gimp >/dev/null; }

"$gimp" --no-splash "$picture" >"$shots/gimp.log" 2>&1 &
main=$!
await "$size" "the picture is open"
sleep 2
