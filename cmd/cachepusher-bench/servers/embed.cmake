# cmake -D OUTPUT=embedded.c -D ROOT=… -P embed.cmake: the files below as C strings. As numbers, for C11 promises no
# literal of more than 4,095 characters.

set(source "#include \"servers/embedded.h\"\n")
foreach(file IN ITEMS scripts/with-servers db/cachepusher.sql db/schema.sql)
    get_filename_component(name ${file} NAME)
    string(MAKE_C_IDENTIFIER ${name} name)
    file(READ ${ROOT}/${file} bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(REGEX REPLACE "(................................................................................)" "\\1\n"
           bytes "${bytes}")
    string(APPEND source "\nconst char embedded_${name}[] = {\n${bytes}0};\n")
endforeach()
file(WRITE ${OUTPUT} "${source}")
