#!/usr/bin/env bash
# Execution providers for machines without their hardware, in a folder of their own (500 MB), and a GPU made of software.
#
#   tests/gpu/software.sh make DIR [PARTDIFF]      fetches everything with apt-get and pip; PARTDIFF is the built command
#   tests/gpu/software.sh run DIR COMMAND...       runs COMMAND where the GPU is there; as root
#
# DIR/vulkan     Vulkan's loader, and the driver SwiftShader from Debian's chromium-common
# DIR/webgpu     the build of ONNX Runtime with WebGPU inside      DIR/openvino  the one with OpenVINO inside
# DIR/old        an ONNX Runtime from before plug-ins              DIR/data      ONNX Runtime and both plug-ins, as
#                                                                                `partdiff runtime install` puts them
set -euo pipefail
action=$1 dir=$(realpath -m "$2")
shift 2

make() {
    local partdiff
    partdiff=$(realpath "${1:-target/release/partdiff}")
    mkdir -p "$dir/vulkan" "$dir/download"
    if [ ! -e "$dir/vulkan/libvk_swiftshader.so" ]; then
        apt-get update -qq
        (cd "$dir/download" && apt-get download -qq chromium-common libvulkan1 && for package in *.deb; do dpkg-deb -x "$package" .; done)
        cp "$dir"/download/usr/lib/chromium/{libvk_swiftshader.so,vk_swiftshader_icd.json} "$dir/vulkan"
        cp -L "$dir"/download/usr/lib/*-linux-gnu/libvulkan.so.1 "$dir/vulkan"
    fi
    rm -rf "$dir/download"
    local set
    for set in webgpu=onnxruntime-webgpu==1.27.0 openvino=onnxruntime-openvino==1.24.1 old=onnxruntime==1.20.1; do
        [ -d "$dir/${set%%=*}" ] && continue
        rm -rf "$dir/part"
        python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12 \
            --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 \
            --platform manylinux2014_x86_64 --target "$dir/part" "${set#*=}"
        mv "$dir/part" "$dir/${set%%=*}"
    done
    for set in cpu openvino webgpu; do
        PARTDIFF_DATA_DIR="$dir/data" "$partdiff" runtime install --device "$set"
    done
}

run() {
    # ONNX Runtime looks for graphics cards in /sys/class/drm; WebGPU then takes what Vulkan has.
    local card="$dir/sys/drm/card0/device"
    mkdir -p "$card"
    echo 0x1ae0 > "$card/vendor"
    echo 0xc0de > "$card/device"
    echo 0x030000 > "$card/class"
    export LD_LIBRARY_PATH="$dir/vulkan${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    export VK_ICD_FILENAMES="${VK_ICD_FILENAMES-$dir/vulkan/vk_swiftshader_icd.json}"
    export PARTDIFF_SYS="$dir/sys"
    exec unshare --mount sh -c 'mount --bind "$PARTDIFF_SYS" /sys/class && exec "$@"' sh "$@"
}

case $action in
make) make "$@" ;;
run) run "$@" ;;
*) echo "usage: $0 make|run DIR ..." >&2 && exit 2 ;;
esac
