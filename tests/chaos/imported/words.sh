#!/bin/sh
printf "%s" "$*"
