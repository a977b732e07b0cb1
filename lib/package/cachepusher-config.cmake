# find_package(cachepusher [COMPONENTS static]) gives the targets
#   cachepusher::cachepusher    the shared library
#   cachepusher::static         the archive; only where the libraries it needs are installed for development

include(${CMAKE_CURRENT_LIST_DIR}/cachepusher-shared.cmake)
set(cachepusher_shared_FOUND TRUE)

find_package(Threads QUIET)
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
    pkg_check_modules(CP_PQ QUIET IMPORTED_TARGET libpq)
    pkg_check_modules(CP_HIREDIS QUIET IMPORTED_TARGET hiredis>=0.14)
    pkg_check_modules(CP_JANSSON QUIET IMPORTED_TARGET jansson>=2.11)
endif()
set(cachepusher_static_FOUND FALSE)
if(Threads_FOUND AND CP_PQ_FOUND AND CP_HIREDIS_FOUND AND CP_JANSSON_FOUND)
    include(${CMAKE_CURRENT_LIST_DIR}/cachepusher-static.cmake)
    set(cachepusher_static_FOUND TRUE)
endif()

foreach(component IN LISTS cachepusher_FIND_COMPONENTS)
    if(cachepusher_FIND_REQUIRED_${component} AND NOT cachepusher_${component}_FOUND)
        set(cachepusher_FOUND FALSE)
        set(cachepusher_NOT_FOUND_MESSAGE
            "component ${component}: cachepusher has shared, and static where pkg-config finds libpq, hiredis and jansson")
    endif()
endforeach()
