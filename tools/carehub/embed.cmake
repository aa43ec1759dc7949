# Writes the files that `carehub init` makes others from into a C file, so that the installed binary needs no other.
# Run with: cmake -DOUT=file.c -DFILES=name=path;name=path… -P embed.cmake
set(text "#include \"template.h\"\n\nconst struct embedded_file embedded_files[] = {\n")
foreach(pair ${FILES})
  string(REGEX MATCH "^([^=]+)=(.+)$" matched "${pair}")
  set(name ${CMAKE_MATCH_1})
  file(READ ${CMAKE_MATCH_2} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
  string(APPEND text "{\"${name}\", (const unsigned char[]){\n${bytes}0}},\n")
endforeach()
string(APPEND text "{0, 0}};\n")
file(WRITE ${OUT} "${text}")
