# Doxygen's filter for the public headers (doc/Doxyfile): makes documentation of its plain comments, line by line, so
# that warnings have the headers' line numbers.

# The first page is what cachepusher.h begins with; of the others it is what they are for.
NR == 1 && FILENAME ~ /cachepusher\.h$/ { sub(/$/, "* @mainpage") }
NR == 1 && !/mainpage/ { sub(/^\/\* /, "/** @file\n@brief ") }

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
END { print sections ? "/** @} */" : "/** @file\n@brief All of it. */" }

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
