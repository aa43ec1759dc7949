/* Tables with aligned columns. Widths are in characters, not bytes: names of people have accents. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "term.h"

struct cell {
    char *text;
    enum tone tone;
};

struct table {
    const char *const *headings;
    size_t n_columns;
    struct cell *cells;
    size_t n_cells;
    size_t room;
};

static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

struct table *table_new(const char *const *headings)
{
    struct table *t = must(calloc(1, sizeof *t));
    t->headings = headings;
    while (headings[t->n_columns] && t->n_columns < TABLE_COLUMNS_MAX)
        t->n_columns++;
    if (t->n_columns == 0)
        abort();
    return t;
}

void table_cell(struct table *table, enum tone tone, const char *format, ...)
{
    if (table->n_cells == table->room) {
        table->room = table->room ? table->room * 2 : 64;
        table->cells = must(reallocarray(table->cells, table->room, sizeof *table->cells));
    }
    struct cell *cell = &table->cells[table->n_cells++];
    cell->tone = tone;
    va_list list;
    va_start(list, format);
    if (vasprintf(&cell->text, format, list) < 0)
        abort();
    va_end(list);
}

size_t table_rows(const struct table *table)
{
    return table->n_cells / table->n_columns;
}

static size_t width(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80; /* all but UTF-8's continuation bytes */
    return n;
}

static void print_row(const struct cell *cells, const size_t *widths, size_t n, FILE *out, struct style style)
{
    size_t last = n; /* nothing but blanks after the last cell that has text */
    while (last > 0 && !*cells[last - 1].text)
        last--;
    for (size_t i = 0; i < last; i++) {
        fputs(i ? "  " : "", out);
        fputs(tone_on(style, cells[i].tone), out);
        put_safe(out, cells[i].text);
        fputs(tone_off(style, cells[i].tone), out);
        if (i + 1 < last)
            fprintf(out, "%*s", (int)(widths[i] - width(cells[i].text)), "");
    }
    fputc('\n', out);
}

void table_print(const struct table *table, FILE *out, struct style style)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    struct cell headings[TABLE_COLUMNS_MAX];
    bool headed = false;
    for (size_t i = 0; i < table->n_columns; i++) {
        headings[i] = (struct cell){(char *)table->headings[i], TONE_DIM};
        widths[i] = width(table->headings[i]);
        headed |= table->headings[i][0] != '\0';
    }
    for (size_t i = 0, column = 0; i < table->n_cells; i++) {
        size_t w = width(table->cells[i].text);
        widths[column] = w > widths[column] ? w : widths[column];
        column = column + 1 < table->n_columns ? column + 1 : 0;
    }
    if (headed)
        print_row(headings, widths, table->n_columns, out, style);
    for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns)
        print_row(table->cells + i, widths, table->n_columns, out, style);
}

void table_destroy(struct table **table)
{
    if (!*table)
        return;
    for (size_t i = 0; i < (*table)->n_cells; i++)
        free((*table)->cells[i].text);
    free((*table)->cells);
    free(*table);
    *table = NULL;
}
