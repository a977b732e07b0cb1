# cmake -D OUTPUT=embedded.c -D HEADER=servers/embedded.h -D ROOT=… -D FILES=a;b -P embed.cmake: files, named from the
# root, as C strings that are called embedded_ and the file's name. As characters, one by one, for C11 promises no
# literal of more than 4,095 of them.

set(source "#include \"${HEADER}\"\n")
foreach(file IN LISTS FILES)
    get_filename_component(name ${file} NAME)
    string(MAKE_C_IDENTIFIER ${name} name)
    file(READ ${ROOT}/${file} bytes HEX)
    string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
    string(APPEND source "\nconst char embedded_${name}[] = {\n${bytes}0};\n")
endforeach()
file(WRITE ${OUTPUT} "${source}")
