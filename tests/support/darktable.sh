#!/usr/bin/env bash
# Exports the one image in FOLDER/in by darktable's shortcut, to the storage of our script: darktable.sh FOLDER
set -u
folder=$1
shot() { [ -z "${PARTDIFF_SCREENSHOTS:-}" ] || import -window root "$PARTDIFF_SCREENSHOTS/darktable_$1.png"; }
window() { xdotool search --onlyvisible --name darktable 2>/dev/null | tail -1; }
settings=(--conf plugins/lighttable/export/storage_name=partdiff --conf plugins/lighttable/export/format_name=png
    --conf write_sidecar_files=never)

# Keys that come while darktable is still loading are lost, and may end it: then it is started again.
for patience in 5 10 20; do
    darktable --configdir "$folder/config" --cachedir "$folder/cache" --library :memory: --disable-opencl \
        "${settings[@]}" "$folder/in" >"$folder/log" 2>&1 &
    main=$!
    for _ in {1..300}; do
        [ -z "$(window)" ] || break
        sleep 0.2
    done
    sleep "$patience"
    xdotool windowsize "$(window)" 1270 890 windowmove "$(window)" 0 0 sleep 1
    xdotool mousemove 500 300 click 1 sleep 0.5 key ctrl+a sleep 0.5 key ctrl+e
    for _ in {1..60}; do
        sleep 0.5
        # The result appears whole.
        if [ -n "$(find "$folder" -maxdepth 1 -name '*_x4_*')" ]; then
            sleep 1
            shot exported
            kill -9 $main
            exit 0
        fi
        kill -0 $main 2>/dev/null || break
    done
    shot failure
    kill -9 $main 2>/dev/null
done
cat "$folder/log"
exit 1
