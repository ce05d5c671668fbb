#!/usr/bin/env bash
# Drives the plug-in in GIMP's windows as a user does: menu, dialog, progress, result, undo, redo, cancel.
# Runs under an X server without a window manager: window.sh GIMP IMAGE WIDTHxHEIGHT SHOTS
set -u
gimp=$1 image=$2 size=$3 shots=$4
large=$((${size%x*} * 4))x$((${size#*x} * 4))
mkdir -p "$shots"

step() { echo "ok: $*"; }
shot() { import -window root "$shots/$1.png"; }
fail() { echo "failed: $*"; shot failure; kill "$main"; exit 1; }
window() { xdotool search --onlyvisible --name "$1" 2>/dev/null | tail -1; }
plug_in() { pgrep -f "${GIMP2_DIRECTORY:-$GIMP3_DIRECTORY}/plug-ins/partdiff-gimp" >/dev/null; }
# until WHAT SECONDS COMMAND...
until_() {
    local what=$1 end=$((SECONDS + $2)); shift 2
    until "$@" >/dev/null; do [ $SECONDS -lt $end ] || fail "$what"; sleep 0.2; done
    step "$what"
}
there() { [ -n "$(window "$1")" ]; }
gone() { ! "$@"; }
keys() { # WINDOW KEY...
    xdotool windowfocus --sync "$(window "$1")"; shift
    for key; do xdotool key --clearmodifiers "$key"; sleep 0.3; done
}
# The entry's letter may be another entry's too, so the letter goes to it and Return opens it.
open_dialog() {
    keys "$1 – GIMP" alt+i; sleep 1
    [ "${2:-}" ] && shot "$2"
    xdotool key w; sleep 0.5
    there "Upscale with PartDiff" || xdotool key Return
    until_ "the menu's entry opens the dialog" 120 there "Upscale with PartDiff"
    sleep 1
}

"$gimp" --no-splash "$image" >"$shots/gimp.log" 2>&1 &
main=$!
until_ "the image is open" 180 there "$size – GIMP"
sleep 3
xdotool windowmove "$(window "$size – GIMP")" 0 0 windowsize "$(window "$size – GIMP")" 1270 890
there "Welcome" && keys "Welcome" Escape

open_dialog "$size" 1_menu
# The preview is shown by itself.
sleep "${PARTDIFF_PREVIEW_SECONDS:-8}"
keys "Upscale with PartDiff" alt+u Down
shot 2_dialog
keys "Upscale with PartDiff" alt+o
until_ "the image is four times as large" 180 there "$large – GIMP"
until_ "the plug-in has ended" 20 gone plug_in
sleep 1; shot 3_result
keys "$large – GIMP" ctrl+z
until_ "one undo brings the old size back" 30 there "$size – GIMP"
shot 4_undone
keys "$size – GIMP" ctrl+y
until_ "one redo brings the result back" 30 there "$large – GIMP"
sleep 1; shot 5_redone

# Forty steps on the enlarged image take long enough to be cancelled.
open_dialog "$large"
keys "Upscale with PartDiff" alt+t ctrl+a 4 0 alt+o
until_ "the dialog is closed" 30 gone there "Upscale with PartDiff"
sleep 3
plug_in || fail "the plug-in is at work"
shot 6_progress
# The button is at the end of the status bar, left of the docks, whose width depends on the theme; left of it nothing
# happens.
eval "$(xdotool getwindowgeometry --shell "$(window "$large – GIMP")")"
for away in 295 280 265 250 235 220 205; do
    plug_in || break
    xdotool mousemove $((X + WIDTH - away)) $((Y + HEIGHT - 16)) sleep 0.2 click 1
    sleep 1
done
until_ "cancel ends the plug-in" 20 gone plug_in
sleep 1; shot 7_cancelled
there "$large – GIMP" || fail "the image is as it was"
step "the image is as it was"
kill "$main"
