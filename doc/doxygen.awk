# Doxygen's filter for include/cachepusher.h (doc/Doxyfile): makes documentation of its plain comments, line by line, so
# that warnings have the header's line numbers.

NR == 1 { sub(/$/, "* @mainpage") } # or nothing in groups, and on the first page, would be shown

# A section, up to the next one; some begin with a text.
match($0, /^\/\* ---- .* ----/) {
    title = id = substr($0, 9, RLENGTH - 13)
    gsub(/ /, "_", id)
    printf "%s/** @defgroup %s %s", sections++ ? "/** @} */ " : "", id, title
    text = !/\*\/$/
    print text ? "" : " */ /** @{ */"
    next
}
text { text = 0; sub(/$/, " @{") }
END { print "/** @} */ /** @file\n@brief All of it. */" }

# Members of a struct that have something in common.
/^ +\/\* .*: \*\/$/ {
    sub(/\/\* /, (sets++ ? "/** @} */ " : "") "/** @name ")
    sub(/: \*\/$/, " */ /** @{ */")
}
/^}/ && sets {
    sets = 0
    $0 = "/** @} */ " $0
}

# A comment by itself documents what follows, and one after a member that member.
/^ *\/\* / { sub(/\/\* /, "/** ") }
/[;,a-zA-Z0-9] *\/\* / { sub(/\/\* /, "/**< ") }

# A member whose name says it all is no gap.
/^    [a-z].*;$/ { $0 = $0 " /**< &nbsp; */" }
{ print }
