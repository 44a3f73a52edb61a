# shellcheck shell=bash
# Everything of the guest side, for `bed` and for each scenario's own process.
# shellcheck source=/dev/null
. "$BED_RESULTS/conf"
export TREE BED BED_RESULTS
for f in scenario topology services leftovers anon directory circuit tfc; do
	# shellcheck source=/dev/null
	. "$TREE/testbed/lib/$f.sh"
done
