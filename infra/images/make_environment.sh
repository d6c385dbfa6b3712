#!/bin/sh
# make_environment.sh REQUIREMENTS: fills /opt/pappus with the packages that a requirements file pins, compiled (the root
# of a running container is read-only, so nothing can be compiled there), and without what only building needs.
# TORCH (see the Makefile): cpu insists on the CPU build of torch, default takes the one of the package index.
set -eu
python3 -m venv /opt/pappus
/opt/pappus/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r uv.txt
export UV_NO_CACHE=1 UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
/opt/pappus/bin/python environment.py "${TORCH:-auto}" "$1"
/opt/pappus/bin/uv pip uninstall --quiet --python /opt/pappus/bin/python uv pip setuptools
packages=/opt/pappus/lib/python3.*/site-packages
# Tests, headers and examples of packages: a third of some images.
find $packages -depth -type d \( -name tests -o -name test -o -name include \) -not -path '*/torch/*' -exec rm -rf {} +
# Of the AWS services only S3 is asked (and STS, for credentials of a role); of the tools of onnxruntime and OpenCV's
# detectors none.
for data in $packages/botocore/data; do
  [ -d "$data" ] && find "$data" -mindepth 1 -maxdepth 1 -type d -not -name s3 -not -name sts -not -name sso\* -exec rm -rf {} +
done
for package in $packages; do
  rm -rf "$package/onnxruntime/transformers" "$package/onnxruntime/quantization" "$package/onnxruntime/tools"
  rm -rf "$package"/pyarrow/*flight* "$package"/pyarrow/libarrow_python.so \
         "$package"/pyarrow/libarrow_python.so.*.* "$package/pydeck/nbextension"
  [ -d "$package/cv2/data" ] && find "$package/cv2/data" -name '*.xml' -delete
done
find $packages -type f \( -name '*.pyi' -o -name '*.a' -o -name '*.pxd' \) -delete
# What the compiled modules were compiled from.
find $packages -type f \( -name '*.pyx' -o -name '*.c' -o -name '*.cc' -o -name '*.cpp' -o -name '*.h' \) \
  -not -path '*/torch/*' -delete
rm -rf /opt/pappus/bin/activate* /opt/pappus/bin/Activate.ps1 $packages/*.md
