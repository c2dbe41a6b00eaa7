// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
/*
 * Is a test that is a program built for the guest, and its skip counted?
 */
#include <stdio.h>

int main(void)
{
	printf("ok 1 - a program runs\n");
	printf("ok 2 - a skip is counted # SKIP shows that skips are\n");
	printf("1..2\n");
	return 0;
}
