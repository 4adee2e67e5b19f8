#!/bin/sh
# weaken.sh OBJECT RESULT HEADER
#
# Makes the functions that are to be replaced weak, and keeps each under a second name, theirs_NAME. HEADER gets a line
# `#define REPLACED_NAME` for each. Only what callers reach by its name can be replaced; the rest is named and left.
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
    # A copy for certain arguments, or a part, is called past the name.
    if printf '%s\n' "$symbols" | grep -Eq " $name\.(constprop|isra|part|cold)"; then
        say "the compiler made copies or parts of $name: it cannot be replaced; try CFLAGS=-O1"
        exit 1
    fi
    # ADDRESS FLAGS F SECTION SIZE NAME; global symbols have a g.
    place=$(printf '%s\n' "$symbols" | awk -v name="$name" '$NF == name && / F / { print $1, $2, $4 }')
    case $place in
    "") say "$name: not defined in this file, left alone" ;;
    *" l "*) say "$name: static, so that its callers do not go by its name; left alone" ;;
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
