#!/bin/sh
# weaken.sh OBJECT RESULT HEADER
#
# Makes the functions to be replaced weak, gives each the second name theirs_NAME, and writes a line
# `#define REPLACED_NAME` to HEADER for each. Functions that callers do not reach by name cannot be replaced; they are
# reported and left as they are.
set -eu

object=$1
result=$2
header=$3
symbols=$("${OBJDUMP:-objdump}" -t "$object")

say() { printf 'nanobragg: %s\n' "$*" >&2; }

replaced=
set --
: >"$header"
for name in sincg sinc3 rotate_axis rotate polin3 polarization_factor; do
    # Callers reach a copy for certain arguments, or a part of the function, by another name.
    if printf '%s\n' "$symbols" | grep -Eq " $name\.(constprop|isra|part|cold)"; then
        say "the compiler made copies or parts of $name: it cannot be replaced; try CFLAGS=-O1"
        exit 1
    fi
    # objdump prints ADDRESS FLAGS F SECTION SIZE NAME; the flags of global symbols contain g.
    place=$(printf '%s\n' "$symbols" | awk -v name="$name" '$NF == name && / F / { print $1, $2, $4 }')
    case $place in
    "") say "$name: not defined in this file, left alone" ;;
    *" l "*) say "$name: static, so its callers do not reach it by name; left alone" ;;
    "0000000000000000 g .text.$name" | "00000000 g .text.$name")
        printf '#define REPLACED_%s 1\n' "$name" >>"$header"
        set -- "$@" "--weaken-symbol=$name" "--add-symbol" "theirs_$name=.text.$name:0,function,global"
        replaced="$replaced $name"
        ;;
    *)
        say "$name: not where it was expected, at the start of a section of its own, but at: $place"
        exit 1
        ;;
    esac
done

if [ -z "$replaced" ]; then
    say "none of the functions is there to be replaced: is this nanoBragg.c?"
    exit 1
fi
"${OBJCOPY:-objcopy}" "$@" "$object" "$result"
say "replaced:$replaced"
