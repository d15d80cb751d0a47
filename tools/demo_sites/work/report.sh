# counts.json and graph.txt -> report.txt: the best cut that was sampled, the mean of all, and how many there were.
# Any shell and any awk do it: the step may run where there is no Python.
awk=$(command -v awk || command -v mawk) || exit 9
tr ',{}' '\n\n\n' <counts.json | "$awk" -F '[" :]+' '
BEGIN {
    while ((getline line < "graph.txt") > 0) { split(line, word, " "); n++; a[n] = word[1]; b[n] = word[2]; weight[n] = word[3] }
}
/^ *"[01]+": *[0-9]+$/ {
    value = 0; last = length($2)
    for (i = 1; i <= n; i++) if (substr($2, last - a[i], 1) != substr($2, last - b[i], 1)) value += weight[i]
    total += value * $3; shots += $3
    if (value > best) { best = value; side = $2 }
}
END { printf "best %d\nsides %s\nmean %.3f\nshots %d\n", best, side, total / shots, shots }
' >report.txt
sleep "$1"
